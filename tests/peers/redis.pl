# Drives Redis.pm: redis.pl SOCKET
use strict;
use warnings;
use Redis;

sub equal {
    my ($got, $wanted) = map { defined $_ ? $_ : "undef" } @_;
    die "got $got, not $wanted\n" if $got ne $wanted;
}

my $redis = Redis->new(sock => $ARGV[0]);
my $blob = join("", map { chr } 0 .. 255) . "\r\n";

equal($redis->ping, "PONG");
equal($redis->echo("hi"), "hi");
my $start = $redis->add(0);
equal($redis->add(2), $start + 2);
equal(join("|", $redis->words("a b", "c")), "a b|c");
equal($redis->nothing, undef);
equal($redis->blob, $blob);
equal($redis->reverse($blob), scalar reverse $blob);

eval { $redis->fetch("tea"); };
die "got $@" if $@ !~ /^\[fetch\] NOTFOUND there is no tea,/;

# With a callback it sends without waiting.
my @totals;
for (1 .. 100) {
    $redis->add(1, sub { my ($answer, $error) = @_; push @totals, $error // $answer; });
}
$redis->wait_all_responses;
equal("@totals", join(" ", $start + 3 .. $start + 102));

# A late answer would be taken for the next command's.
equal($redis->nap("5s"), "OK");
equal($redis->ping, "PONG");
equal(join("|", $redis->words("b")), "b");
$redis->quit;
print "Redis.pm ", Redis->VERSION, " ok\n";
