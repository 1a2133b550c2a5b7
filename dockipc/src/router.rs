//! From a command's bytes to what answers it.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use crate::access::{self, Pattern, Policy, Token};
use crate::arg::{Args, Cut, Fallback, Scratch, Shown, Unbound};
use crate::audit::Case;
use crate::builtin::{self, Builtin, Completion};
use crate::connection::Session;
use crate::engine::{Begin, Pace, Paces};
use crate::error::{Error, Failure, code};
use crate::handler::{Handler, caught};
use crate::nearest::nearest;
use crate::registry::{Command, check_name};
use crate::reply::{IntoReply, Reply};
use crate::request::{Caller, Request, Words, next_id};
use crate::server::Shared;
use crate::state::States;
use crate::wire::{Frame, Protocol, Span};

/// All names of a server and what they mean.
pub(crate) struct Router {
    table: Vec<Entry>,
    /// The beginnings of the names, in the order of the table: what a search looks at first.
    prefixes: Vec<u64>,
    fallback: Option<Arc<dyn Handler>>,
    states: States,
    /// What is known of each target's speed. The first is the fallback's, the last the audit's.
    paces: Vec<Pace>,
    /// Who may run what has no name.
    fallback_policy: Policy,
    /// What the paths but the first are for: whether each target, by the number of its pace.
    doors: Vec<Option<Vec<bool>>>,
}

struct Entry {
    name: Cow<'static, str>,
    target: Target,
    /// The number of its pace.
    pace: usize,
    policy: Policy,
}

impl Entry {
    /// The command's name, also for an alias.
    fn declared(&self) -> &str {
        match self.target {
            Target::Command(command) => command.name,
            Target::Handler { .. } | Target::Builtin(_) => &self.name,
        }
    }
}

/// Who may run what, as the builder was told.
#[derive(Default)]
pub(crate) struct Rules {
    /// Names and a rule for them; the last one counts.
    pub(crate) given: Vec<(Pattern, String)>,
    /// What has no rule is for nobody.
    pub(crate) default_deny: bool,
    /// What the paths but the first are for; all names if it doesn't say.
    pub(crate) doors: Vec<Option<Vec<Pattern>>>,
}

/// What answers a name.
#[derive(Clone)]
pub(crate) enum Target {
    Command(&'static Command),
    Handler { handler: Arc<dyn Handler>, place: String },
    Builtin(&'static Builtin),
}

impl Target {
    fn place(&self) -> String {
        match self {
            Self::Command(command) => command.place(),
            Self::Handler { place, .. } => place.clone(),
            Self::Builtin(_) => "dockipc itself".into(),
        }
    }

    /// The names that a rule can be for: a rule for one of a command's names is for all of them.
    fn names<'n>(&self, name: &'n str) -> Vec<&'n str>
    where
        Self: 'n,
    {
        match self {
            Self::Command(command) => {
                [&command.name].into_iter().chain(command.aliases).copied().collect()
            }
            Self::Handler { .. } | Self::Builtin(Builtin { summary: Some(_), .. }) => vec![name],
            Self::Builtin(_) => Vec::new(),
        }
    }
}

impl Router {
    /// Checks everything that can be wrong before the first call.
    pub(crate) fn new(
        commands: impl IntoIterator<Item = &'static Command>,
        handlers: Vec<(String, Target)>,
        fallback: Option<Arc<dyn Handler>>,
        states: States,
        rules: &Rules,
    ) -> Result<Self, Error> {
        if let Some(twice) = states.duplicate() {
            return Err(Error::DuplicateState(twice));
        }
        let paces = vec![Pace::default()];
        let mut router = Self {
            table: Vec::new(),
            prefixes: Vec::new(),
            fallback,
            states,
            paces,
            doors: Vec::new(),
            fallback_policy: if rules.default_deny { Policy::Closed } else { Policy::Open },
        };
        for command in commands {
            router.check(command)?;
            for &name in [&command.name].into_iter().chain(command.aliases) {
                router.add(Cow::Borrowed(name), Target::Command(command))?;
            }
        }
        for (name, target) in handlers {
            check_name(&name).map_err(|reason| Error::BadName { name: name.clone(), reason })?;
            router.add(Cow::Owned(name), target)?;
        }
        for builtin in builtin::ALL {
            // An author's own command of this name stands.
            if router.find(builtin.name.as_bytes()).is_none() {
                router.add(Cow::Borrowed(builtin.name), Target::Builtin(builtin))?;
            }
        }
        router.rule(rules)?;
        for names in &rules.doors {
            let door = names.as_deref().map(|names| router.door(names)).transpose()?;
            router.doors.push(door);
        }
        router.paces.push(Pace::default());
        Ok(router)
    }

    /// Which targets have one of these names.
    fn door(&self, patterns: &[Pattern]) -> Result<Vec<bool>, Error> {
        let mut open = vec![false; self.paces.len()];
        let mut unused: Vec<&Pattern> = patterns.iter().collect();
        for entry in &self.table {
            let names = entry.target.names(&entry.name);
            unused.retain(|pattern| !names.iter().any(|name| pattern.matches(name)));
            open[entry.pace] = matches!(entry.target, Target::Builtin(_))
                || patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)));
        }
        open[0] = patterns.iter().any(Pattern::is_all);
        match unused.into_iter().find(|pattern| !pattern.is_all()) {
            None => Ok(open),
            Some(pattern) => Err(Error::BadRule {
                rule: format!("Access::only({pattern})"),
                reason: "no command has such a name".into(),
            }),
        }
    }

    /// Whether a target is offered where the caller came in.
    fn is_offered(&self, session: &Session, number: usize) -> bool {
        let door = session.door.checked_sub(1).and_then(|index| self.doors.get(index));
        door.and_then(Option::as_ref).is_none_or(|open| open[number])
    }

    fn is_for(&self, session: &Session, entry: &Entry) -> bool {
        entry.policy.allows(&session.peer, session.has_token)
            && self.is_offered(session, entry.pace)
    }

    /// Gives every target its policy.
    fn rule(&mut self, rules: &Rules) -> Result<(), Error> {
        let mut given = Vec::new();
        for (pattern, text) in &rules.given {
            let rule = format!("{text:?} for {pattern}");
            let terms = access::parse(text).map_err(|(at, reason)| Error::BadRule {
                rule: rule.clone(),
                reason: format!("{reason}, at character {}", at + 1),
            })?;
            let policy = Policy::new(&terms, &rule)?;
            given.push((pattern, rule, policy, false));
        }
        for entry in &mut self.table {
            entry.policy = match &entry.target {
                Target::Command(Command { allow: Some(terms), .. }) => {
                    Policy::new(terms, &format!("of `{}` ({})", entry.name, entry.target.place()))?
                }
                Target::Builtin(_) => Policy::Open,
                _ if rules.default_deny => Policy::Closed,
                _ => Policy::Open,
            };
            // What the protocol needs can't be ruled: without it nobody could be told no.
            let names = entry.target.names(&entry.name);
            for (pattern, _, policy, used) in &mut given {
                if names.iter().any(|name| pattern.matches(name)) {
                    *used = true;
                    entry.policy = policy.clone();
                }
            }
        }
        if let Some((_, _, policy, used)) = given.iter_mut().rfind(|(pattern, ..)| pattern.is_all())
        {
            *used = true;
            self.fallback_policy = policy.clone();
        }
        match given.into_iter().find(|(.., used)| !used) {
            None => Ok(()),
            Some((_, rule, ..)) => {
                Err(Error::BadRule { rule, reason: "no command has such a name".into() })
            }
        }
    }

    /// Reads the token, which must be there if a rule wants it, and only then.
    pub(crate) fn token(&self, file: Option<&Path>) -> Result<Option<Token>, Error> {
        let entries = self.table.iter().map(|Entry { name, policy, .. }| (&**name, policy));
        let mut all = entries.chain([("*", &self.fallback_policy)]);
        match (all.find(|(_, policy)| policy.wants_token()), file) {
            (None, None) => Ok(None),
            (Some(_), Some(path)) => Token::read(path).map(Some),
            (Some((name, policy)), None) => Err(Error::BadRule {
                rule: format!("\"{policy}\" for {name}"),
                reason: "there is no token: give the server one with .token_file(…)".into(),
            }),
            (None, Some(path)) => Err(Error::BadTokenFile {
                path: path.to_owned(),
                reason: "no command has a rule with `token`".into(),
            }),
        }
    }

    fn check(&self, command: &'static Command) -> Result<(), Error> {
        for param in command.params {
            if let Some((id, wanted)) = (param.wanted)()
                && !self.states.has(id)
            {
                let (command, place) = (command.name, command.place());
                return Err(Error::MissingState { command, place, wanted });
            }
            if let Some(Fallback::Word(word)) = param.default
                && let Err(bad) = (param.check)(word)
            {
                return Err(Error::BadDefault {
                    command: command.name,
                    place: command.place(),
                    param: param.name,
                    reason: if param.secret {
                        format!("expected {}", param.ty)
                    } else {
                        bad.reason().to_owned()
                    },
                });
            }
        }
        Ok(())
    }

    fn add(&mut self, name: Cow<'static, str>, target: Target) -> Result<(), Error> {
        if let Some(other) = self.find(name.as_bytes()) {
            // inventory has no order: sorted, the message is the same at every start.
            let mut places = [other.place(), target.place()];
            places.sort_by_cached_key(|place| {
                let (file, line) = place.rsplit_once(':').unwrap_or((place, ""));
                (file.to_owned(), line.parse::<u32>().ok())
            });
            let [first, second] = places;
            return Err(Error::DuplicateName { name: name.into_owned(), first, second });
        }
        let (prefix, pace) = (prefix(name.as_bytes()), self.paces.len());
        let index = self.prefixes.partition_point(|other| *other < prefix);
        self.prefixes.insert(index, prefix);
        self.table.insert(index, Entry { name, target, pace, policy: Policy::Open });
        self.paces.push(Pace::default());
        Ok(())
    }

    /// What a name means, without regard to ASCII case, as in Redis.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Target> {
        self.entry(name).map(|entry| &entry.target)
    }

    fn entry(&self, name: &[u8]) -> Option<&Entry> {
        let prefix = prefix(name);
        let first = self.prefixes.partition_point(|other| *other < prefix);
        let same = self.prefixes[first..].iter().take_while(|other| **other == prefix);
        let mut near = self.table[first..].iter().zip(same).map(|(entry, _)| entry);
        near.find(|entry| entry.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Whether anything is not for whoever can connect.
    pub(crate) fn has_rules(&self) -> bool {
        !matches!(self.fallback_policy, Policy::Open)
            || self.table.iter().any(|entry| !matches!(entry.policy, Policy::Open))
    }

    pub(crate) fn pace(&self, number: usize) -> Option<&Pace> {
        self.paces.get(number)
    }

    /// The name that has this pace; empty for the fallback.
    #[cold]
    pub(crate) fn name_of_pace(&self, number: usize) -> &str {
        if number + 1 == self.paces.len() {
            return "(audit)";
        }
        self.table.iter().find(|entry| entry.pace == number).map_or("", |entry| &entry.name)
    }

    /// What a name means for this caller: nothing that it may not run.
    pub(crate) fn find_for(&self, session: &Session, name: &[u8]) -> Option<&Target> {
        let entry = self.entry(name).filter(|entry| self.is_for(session, entry));
        entry.map(|entry| &entry.target)
    }

    /// Returns the commands that a client asks about by name, and None for a name that means nothing to
    /// this caller.
    ///
    /// Invariant: each name of the table is returned once, however often it is asked for, so that a
    /// question is never answered with more than the description of all commands.
    pub(crate) fn named<'n>(
        &self,
        session: &Session,
        names: impl Iterator<Item = &'n [u8]>,
    ) -> impl Iterator<Item = Option<(&str, &Target)>> {
        let mut is_new = vec![true; self.paces.len()];
        names.filter_map(move |name| {
            let Some(entry) = self.entry(name).filter(|entry| self.is_for(session, entry)) else {
                return Some(None);
            };
            let is_first = std::mem::replace(&mut is_new[entry.pace], false);
            is_first.then_some(Some((&*entry.name, &entry.target)))
        })
    }

    /// Who may run what has this name.
    pub(crate) fn policy(&self, name: &[u8]) -> Option<&Policy> {
        self.entry(name).map(|entry| &entry.policy)
    }

    fn is_shown(&self, session: &Session, entry: &Entry) -> bool {
        self.is_for(session, entry)
            && match entry.target {
                Target::Command(command) => !command.hidden && command.name == entry.name,
                Target::Handler { .. } => true,
                Target::Builtin(builtin) => builtin.summary.is_some(),
            }
    }

    /// The names that this caller is shown, in order, each once.
    pub(crate) fn shown(&self, session: &Session) -> Vec<(&str, &Target)> {
        let shown = self.table.iter().filter(|entry| self.is_shown(session, entry));
        let mut shown: Vec<_> = shown.map(|entry| (&*entry.name, &entry.target)).collect();
        shown.sort_by_key(|(name, _)| *name);
        shown
    }

    /// Answers one whole command. A panic of the author's code is an answer as well. None if the
    /// author's code can't run now.
    pub(crate) fn dispatch(
        &self,
        shared: &Shared,
        session: &mut Session,
        input: &[u8],
        frame: Frame,
        scratch: &mut Scratch,
        paces: &mut dyn Paces,
    ) -> Option<Reply> {
        if let Some(line) = builtin::wrapped_line(input, frame, &scratch.incoming) {
            return self.line(shared, session, line, scratch, paces);
        }
        match Unbound::new(input, frame, scratch) {
            Ok(unbound) => self.route(shared, session, unbound, paces),
            Err(failure) => Some(Reply::Error(failure)),
        }
    }

    /// Answers a line that came as one word of RESP, with the bytes of line mode.
    fn line(
        &self,
        shared: &Shared,
        session: &mut Session,
        line: &[u8],
        scratch: &mut Scratch,
        paces: &mut dyn Paces,
    ) -> Option<Reply> {
        let line = match builtin::check_line(line, shared.limits.line) {
            Ok(text) => text,
            Err(failure) => return Some(Reply::Error(failure)),
        };
        let frame = Frame::Line(Span::input(0, line.len()));
        let reply = self.dispatch(shared, session, line, frame, scratch, paces)?;
        Some(match reply {
            no @ Reply::Error(_) => no,
            answer => Reply::Bytes(answer.into_line()),
        })
    }

    fn route(
        &self,
        shared: &Shared,
        session: &mut Session,
        unbound: Unbound<'_>,
        paces: &mut dyn Paces,
    ) -> Option<Reply> {
        let Some(name) = unbound.name() else { return Some(nothing()) };
        let entry = self.entry(name);
        let (target, number, policy) = match entry {
            Some(Entry { target, pace, policy, .. }) => (Some(target), *pace, policy),
            None => (None, 0, &self.fallback_policy),
        };
        let is_offered = self.is_offered(session, number);
        let is_allowed = is_offered && policy.allows(&session.peer, session.has_token);
        let case = match &shared.audit {
            Some(audit) if !is_offered || !matches!(policy, Policy::Open) => {
                let declared = entry.map(Entry::declared);
                Some(audit.case(session, is_allowed, is_offered.then_some(policy), declared))
            }
            _ => None,
        };
        let protocol = session.protocol;
        let mut runs = Runs { paces, number, pace: &self.paces[number], protocol, case };
        if !is_allowed {
            let policy = is_offered.then_some(policy);
            return self.deny(session, target, policy, unbound, &mut runs);
        }
        match (target, &self.fallback) {
            (Some(Target::Command(command)), _) => self.run(command, session, unbound, &mut runs),
            (Some(Target::Builtin(builtin)), _) => {
                let (_, words, whole) = unbound.all();
                if let Some(case) = case {
                    let request = whole.is_ok().then(next_id);
                    let record = || case.unbound(b"", request, words);
                    if let Err(failure) = runs.recorded(self, record)? {
                        return Some(Reply::Error(failure));
                    }
                }
                if let Err(failure) = whole {
                    return Some(Reply::Error(failure));
                }
                match Completion::of(builtin, words) {
                    Some(completion) => self.complete(session, &completion, &mut runs),
                    None => self.answer(builtin, shared, session, words, paces),
                }
            }
            (Some(Target::Handler { handler, .. }), _) | (None, Some(handler)) => {
                self.hand(&**handler, session, unbound, &mut runs)
            }
            (None, None) => Some(Reply::Error(self.unknown(session, name))),
        }
    }

    /// Answers with a built-in command. A token that it refused is recorded before.
    fn answer(
        &self,
        builtin: &Builtin,
        shared: &Shared,
        session: &mut Session,
        words: Words<'_>,
        paces: &mut dyn Paces,
    ) -> Option<Reply> {
        if session.refused_token.is_none() {
            let reply = (builtin.run)(shared, session, words);
            if session.refused_token.is_none() {
                return Some(reply);
            }
            session.held_answer = Some(reply);
        }
        self.refuse_token(shared, session, words, paces)
    }

    #[cold]
    fn refuse_token(
        &self,
        shared: &Shared,
        session: &mut Session,
        words: Words<'_>,
        paces: &mut dyn Paces,
    ) -> Option<Reply> {
        let why = session.refused_token.take()?;
        let Some(audit) = &shared.audit else { return session.held_answer.take() };
        let (number, protocol) = (0, session.protocol);
        let mut runs = Runs { paces, number, pace: &self.paces[number], protocol, case: None };
        let recorded = runs.recorded(self, || {
            // Refused is refused, also if nobody hears of it.
            let _ = audit.refused_token(session, &why, words.iter().len());
            Ok(())
        });
        match recorded {
            Some(Ok(())) => session.held_answer.take(),
            Some(Err(failure)) => {
                session.held_answer = None;
                Some(Reply::Error(failure))
            }
            None => {
                session.refused_token = Some(why);
                None
            }
        }
    }

    fn run(
        &self,
        command: &Command,
        session: &Session,
        mut unbound: Unbound<'_>,
        runs: &mut Runs<'_>,
    ) -> Option<Reply> {
        if let Err(failure) = unbound.bind(command.params) {
            let answer = with_usage(command, failure);
            return self.not_run(runs, answer, |case| case.unbindable(command.params, unbound));
        }
        let bound = unbound.take();
        let request = self.request(command, bound.words, session);
        let args = Args { request: &request, bound, params: command.params };
        let case = runs.case;
        runs.guarded(command.name, || {
            if let Some(case) = case
                && let Err(failure) = case.bound(Some(request.id()), command.params, &bound)
            {
                return Reply::Error(failure);
            }
            (command.run)(&args).unwrap_or_else(|failure| with_usage(command, failure))
        })
    }

    /// Answers with values for a parameter. They are proposed to whoever may run the command.
    #[cold]
    fn complete(
        &self,
        session: &Session,
        completion: &Completion<'_>,
        runs: &mut Runs<'_>,
    ) -> Option<Reply> {
        let Completion { command, param, prefix, words } = *completion;
        let nothing = Some(Reply::List(Vec::new()));
        let Some(target) = self.find_for(session, command) else {
            return Some(Reply::Error(self.unknown(session, command)));
        };
        let Target::Command(command) = target else { return nothing };
        let param = command.given().find(|given| given.name.as_bytes() == param);
        let (Some(propose), Ok(prefix)) =
            (param.and_then(|param| param.propose), std::str::from_utf8(prefix))
        else {
            return nothing;
        };
        let request = self.request(command, words, session);
        runs.guarded(command.name, || propose(&request, prefix).into_reply())
    }

    fn hand(
        &self,
        handler: &dyn Handler,
        session: &Session,
        unbound: Unbound<'_>,
        runs: &mut Runs<'_>,
    ) -> Option<Reply> {
        let (name, words, whole) = unbound.all();
        let text = whole.and_then(|()| {
            let why = "the command's name is not UTF-8";
            std::str::from_utf8(name).map_err(|_| Failure::new(code::UTF8, why))
        });
        let text = match text {
            Ok(text) => text,
            Err(failure) => {
                let record = |case: Case<'_>| case.unbound(name, None, words);
                return self.not_run(runs, Reply::Error(failure), record);
            }
        };
        let request = Request::new(text, words, self.caller(session));
        let case = runs.case;
        runs.guarded(text, || {
            if let Some(case) = case
                && let Err(failure) = case.unbound(name, Some(request.id()), words)
            {
                return Reply::Error(failure);
            }
            handler.handle(&request)
        })
    }

    /// Answers what may be run and can't be.
    #[cold]
    fn not_run<'a>(
        &self,
        runs: &mut Runs<'a>,
        answer: Reply,
        record: impl FnOnce(Case<'a>) -> Result<(), Failure>,
    ) -> Option<Reply> {
        let Some(case) = runs.case else { return Some(answer) };
        let recorded = runs.recorded(self, || record(case))?;
        Some(recorded.map_or_else(Reply::Error, |()| answer))
    }

    /// Answers what the caller may not run.
    #[cold]
    fn deny(
        &self,
        session: &Session,
        target: Option<&Target>,
        policy: Option<&Policy>,
        unbound: Unbound<'_>,
        runs: &mut Runs<'_>,
    ) -> Option<Reply> {
        let name = unbound.name().unwrap_or_default();
        // Without a fallback there is nothing behind a name that nobody has.
        if target.is_none() && self.fallback.is_none() {
            return Some(Reply::Error(self.unknown(session, name)));
        }
        let denied = denied(session, name, policy);
        let Some(case) = runs.case else { return Some(Reply::Error(denied)) };
        let recorded = runs.recorded(self, || {
            // Denied is denied, also if nobody hears of it.
            let _ = if let Some(Target::Command(command)) = target {
                case.denied(command.params, unbound)
            } else {
                let (name, words, _) = unbound.all();
                case.unbound(name, None, words)
            };
            Ok(())
        })?;
        Some(Reply::Error(recorded.map_or_else(|failure| failure, |()| denied)))
    }

    fn request<'r>(
        &'r self,
        command: &Command,
        words: Words<'r>,
        session: &'r Session,
    ) -> Request<'r> {
        Request::new(command.name, words, self.caller(session)).with(command.params)
    }

    fn caller<'r>(&'r self, session: &'r Session) -> Caller<'r> {
        Caller {
            peer: &session.peer,
            connection: session.id,
            protocol: session.protocol,
            states: &self.states,
        }
    }

    #[cold]
    pub(crate) fn unknown(&self, session: &Session, name: &[u8]) -> Failure {
        let (word, most) = (name.to_ascii_lowercase(), (name.len() / 3).max(1));
        let shown = self.table.iter().filter(|entry| self.is_shown(session, entry));
        let hint = match nearest(&word, shown.map(|entry| &*entry.name), most) {
            Some(other) => format!("did you mean {other}?"),
            None => "send help for a list".into(),
        };
        Failure::new(code::UNKNOWN, format_args!("no command {}; {hint}", Shown(name)))
    }
}

/// Why a caller may not run something: the policy, or that it is not offered here.
#[cold]
fn denied(session: &Session, name: &[u8], policy: Option<&Policy>) -> Failure {
    let (uid, name) = (session.peer.uid(), Shown(name));
    let Some(policy) = policy else {
        let why = format_args!("{name} is not offered at this socket; you are uid {uid}");
        return Failure::new(code::NOPERM, why);
    };
    let hint = match session.protocol {
        _ if session.has_token || !policy.wants_token() => "",
        Protocol::Line => "; a token can't be given over a line, but by a Redis client",
        Protocol::Resp2 | Protocol::Resp3 => "; the token is given with AUTH",
    };
    let why = format_args!("{name} is for {policy}; you are uid {uid}{hint}");
    Failure::new(code::NOPERM, why)
}

#[cold]
fn nothing() -> Reply {
    Reply::Error(Failure::new(code::USAGE, "an empty line; send help for a list"))
}

/// A failure to read the words ends with how the command is used.
#[cold]
fn with_usage(command: &Command, failure: Failure) -> Reply {
    Reply::Error(match failure.code() {
        code::USAGE => {
            Failure::new(code::USAGE, format_args!("{}; usage: {command}", failure.message()))
        }
        _ => failure,
    })
}

/// The first eight bytes as a number, the same for small letters and capitals.
fn prefix(name: &[u8]) -> u64 {
    name.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(byte | 0x20))
}

/// How the author's code is run.
struct Runs<'a> {
    paces: &'a mut dyn Paces,
    number: usize,
    pace: &'a Pace,
    protocol: Protocol,
    /// What the audit is to be told of.
    case: Option<Case<'a>>,
}

impl Runs<'_> {
    /// Calls the author's code; a panic becomes an answer. None if it can't run now.
    fn guarded(&mut self, name: &str, run: impl FnOnce() -> Reply) -> Option<Reply> {
        match self.paces.begin(self.number, self.pace, self.protocol) {
            Begin::Now => {}
            Begin::Later => return None,
            Begin::Never(failure) => return Some(Reply::Error(failure)),
        }
        let reply = caught(run);
        self.paces.end();
        Some(reply.unwrap_or_else(|| {
            let name = Cut(name.as_bytes());
            let why = format!("{name} panicked; the daemon's standard error has the message");
            Reply::Error(Failure::new(code::PANIC, why))
        }))
    }

    /// Has the audit told of a command that does not run by itself. It is the author's code, and may
    /// block, so that there is none if it can't run now.
    #[cold]
    fn recorded(
        &mut self,
        router: &Router,
        record: impl FnOnce() -> Result<(), Failure>,
    ) -> Option<Result<(), Failure>> {
        let number = router.paces.len() - 1;
        let Self { protocol, case, .. } = *self;
        let pace = &router.paces[number];
        let mut runs = Runs { paces: &mut *self.paces, number, pace, protocol, case };
        let run = || record().map_or_else(Reply::Error, |()| Reply::Ok);
        Some(match runs.guarded("the audit", run)? {
            Reply::Error(failure) => Err(failure),
            _ => Ok(()),
        })
    }
}
