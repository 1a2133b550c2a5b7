//! Clients that are tasks on tokio.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};

use super::{Job, Meter, Tickets, footprint, idle, nanos, watchdog};
use crate::Res;
use crate::results::Figures;
use crate::work::{BESIDE, Work};

/// One connection.
pub(crate) trait Caller: Sized + Send + 'static {
    fn connect(socket: &Path) -> impl Future<Output = Res<Self>> + Send;
    fn call(&mut self, work: Work) -> impl Future<Output = Res<()>> + Send;
}

pub(crate) fn threads() -> Res<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// Runs a job. With `threaded`, many connections use the multi-threaded runtime, which is faster for
/// them; few connections always use a single thread.
pub(crate) fn bench<C: Caller>(job: &Arc<Job>, threaded: bool) -> Res<Figures> {
    watchdog();
    let is_many = matches!(job.work, Work::Conc50 | Work::Pipe16);
    let runtime = if threaded && is_many {
        threads()?
    } else {
        Builder::new_current_thread().enable_all().build()?
    };
    let job = Arc::clone(job);
    // In a task, since waking the future of block_on itself is slow.
    runtime.block_on(async { tokio::spawn(run::<C>(job)).await })?
}

async fn run<C: Caller>(job: Arc<Job>) -> Res<Figures> {
    match job.work {
        Work::Rtt16p => trip::<C>(&job).await,
        Work::Rtt16i => {
            let _beside = open::<C>(&job, BESIDE).await?;
            trip::<C>(&job).await
        }
        Work::Conc50 | Work::Compute(_) => {
            let callers = open::<C>(&job, job.work.connections()).await?;
            many(&job, callers.into_iter().map(Some).collect()).await
        }
        Work::One1p | Work::One8 => {
            many::<C>(&job, (0..job.work.connections()).map(|_| None).collect()).await
        }
        Work::Idle => {
            let before = footprint(&job)?;
            let _open = open::<C>(&job, job.calls).await?;
            idle(&job, before)
        }
        _ => Err("not for this client".into()),
    }
}

/// Opens connections that make one call each and then stay idle.
async fn open<C: Caller>(job: &Job, count: usize) -> Res<Vec<C>> {
    let mut callers = Vec::with_capacity(count);
    for _ in 0..count {
        let mut caller = C::connect(&job.socket).await?;
        caller.call(job.work).await?;
        callers.push(caller);
    }
    Ok(callers)
}

async fn trip<C: Caller>(job: &Job) -> Res<Figures> {
    let mut caller = C::connect(&job.socket).await?;
    for _ in 0..job.warm_up() {
        caller.call(job.work).await?;
    }
    let mut times = Vec::with_capacity(job.calls);
    let meter = Meter::start(job.server);
    for _ in 0..job.calls {
        let start = Instant::now();
        caller.call(job.work).await?;
        times.push(nanos(start));
    }
    Ok(meter.stop(times, 1))
}

/// Runs a task for each caller; together they make the job's calls. `None` connects for every call.
async fn many<C: Caller>(job: &Arc<Job>, mut callers: Vec<Option<C>>) -> Res<Figures> {
    for caller in &mut callers {
        for _ in 0..job.warm_up().div_ceil(job.work.connections()) {
            one(job, caller).await?;
        }
    }
    let tickets = Arc::new(Tickets::new(job.calls));
    let room = 2 * job.calls / callers.len() + 64;
    let meter = Meter::start(job.server);
    let run = |mut caller: Option<C>| {
        let (job, tickets) = (Arc::clone(job), Arc::clone(&tickets));
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(room);
            while tickets.take() {
                let start = Instant::now();
                one(&job, &mut caller).await?;
                times.push(nanos(start));
            }
            Res::Ok(times)
        })
    };
    let tasks: Vec<_> = callers.into_iter().map(run).collect();
    let mut times = Vec::with_capacity(job.calls);
    for task in tasks {
        times.append(&mut task.await??);
    }
    Ok(meter.stop(times, 1))
}

async fn one<C: Caller>(job: &Job, caller: &mut Option<C>) -> Res<()> {
    match caller {
        Some(caller) => caller.call(job.work).await,
        None => C::connect(&job.socket).await?.call(job.work).await,
    }
}
