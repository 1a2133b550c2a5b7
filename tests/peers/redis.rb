# Drives Ruby's redis: redis.rb SOCKET
require "redis"

def equal(got, wanted)
  raise "got #{got.inspect}, not #{wanted.inspect}" unless got == wanted
end

redis = Redis.new(path: ARGV[0], timeout: 20)
blob = (0..255).to_a.pack("C*") + "\r\n".b

equal redis.ping, "PONG"
equal redis.echo("hi"), "hi"
start = redis.call("add", 0)
equal redis.call("ADD", "2"), start + 2
equal redis.call("words", "a b", "c"), ["a b", "c"]
equal redis.call("words"), []
equal redis.call("nothing"), nil
equal redis.call("prices"), ["pear", 2, "plum", 3]
equal redis.call("blob").b, blob
equal redis.call("reverse", blob).b, blob.reverse

begin
  redis.call("fetch", "tea")
  raise "fetch did not fail"
rescue Redis::CommandError => error
  equal error.message, "NOTFOUND there is no tea"
end

totals = redis.pipelined { |pipeline| 100.times { pipeline.call(["add", 1]) } }
equal totals, (start + 3..start + 102).to_a

# A late answer would be taken for the next command's.
equal redis.call("nap", "5s"), "OK"
equal redis.ping, "PONG"
equal redis.call("words", "b"), ["b"]
redis.quit
puts "redis-rb #{Redis::VERSION} ok"
