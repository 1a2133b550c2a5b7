# Subscribes to streams with Ruby's redis: streams.rb SOCKET
require "redis"

def equal(got, wanted)
  raise "got #{got.inspect}, not #{wanted.inspect}" unless got == wanted
end

def fault(kind)
  puts kind
  $stdout.flush
  equal $stdin.gets, "done\n"
end

def connect(attempts = 0)
  # With the default, 1, it sends commands again whose connection was lost.
  Redis.new(path: ARGV[0], timeout: 30, reconnect_attempts: attempts)
end

client = connect
redis = connect

[["count 3", 3, ["end", "+END"]], ["break-after 2", 2, ["error", "-BROKEN in the end"]]].each do |call, count, last|
  got = []
  redis.psubscribe(call) do |on|
    on.pmessage do |pattern, channel, text|
      equal pattern, call
      got << [channel, text]
      redis.punsubscribe(call) unless channel == "item"
    end
  end
  equal got, (0...count).map { |n| ["item", n.to_s] } + [last]
end
[["count 2", %w[0 1 +END]], ["break-after 1", ["0", "-BROKEN in the end"]]].each do |call, texts|
  got = []
  redis.subscribe(call) do |on|
    on.message do |channel, text|
      equal channel, call
      got << text
      redis.unsubscribe(call) if got.size == texts.size
    end
  end
  equal got, texts
end

[["no such", "UNKNOWN "], ["take", "USAGE "], ["closed", "NOPERM "], ["runs take", "USAGE "], ["count", "USAGE "]].each do |call, code|
  %i[subscribe psubscribe].each do |subscribe|
    begin
      redis.send(subscribe, "count 1", call) { |on| on.subscribe { raise "subscribed" } }
      raise "no error"
    rescue Redis::CommandError => error
      raise error unless error.message.start_with?(code)
    end
    equal redis.call("runs", "take"), 0
  end
end

# Events beside a stream.
events = []
items = []
redis.subscribe("jobs") do |on|
  on.subscribe do |name, _|
    if name == "jobs"
      redis.subscribe("count 2000")
      200.times { |n| equal client.call("emit", "jobs", n), 1 }
    end
  end
  on.message do |channel, text|
    (channel == "jobs" ? events : items) << text
    redis.unsubscribe if events.size == 200 && items.size == 2001
  end
end
equal events, (0...200).map(&:to_s)
equal items, (0...2000).map(&:to_s) + ["+END"]

# It does not subscribe again by itself: `psubscribe` ends with an error.
%w[cut restart].each do |kind|
  run = client.call("runs", "follow")
  hangs = client.call("runs", "hang")
  hang = Thread.new do
    begin
      # A daemon that stops answers first, so that nothing is sent again.
      connect(kind == "restart" ? 1 : 0).call("hang")
      "answered"
    rescue Redis::BaseError => error
      error
    end
  end
  nil until client.call("runs", "hang") == hangs + 1
  stopped = nil
  begin
    redis.psubscribe("follow", "jobs") do |on|
      on.pmessage do |_, channel, text|
        if channel == "item"
          equal text, (run + 1).to_s
          fault(kind)
        else
          stopped = text
        end
      end
    end
    raise "no error"
  rescue Redis::BaseConnectionError
  end
  raise "answered" unless hang.value.is_a?(Redis::BaseError)
  raise stopped unless stopped.nil? || (kind == "restart" && stopped.start_with?("-SHUTDOWN "))
  hits = nil
  until hits
    begin
      hits = client.call("runs", "hit")
    rescue Redis::BaseConnectionError
    end
  end
  20.times { client.call("hit") }
  equal client.call("runs", "hit"), hits + 20
  equal client.call("runs", "hang"), hangs + 1
  equal client.call("runs", "follow"), run + 1
  # The same client subscribes again.
  redis.subscribe("jobs") do |on|
    on.subscribe { equal client.call("emit", "jobs", kind), 1 }
    on.message do |_, text|
      equal text, kind
      redis.unsubscribe
    end
  end
end
puts "redis-rb #{Redis::VERSION} ok"
