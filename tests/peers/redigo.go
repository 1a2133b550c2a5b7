// Drives redigo: redigo SOCKET
package main

import (
	"bytes"
	"fmt"
	"os"
	"reflect"

	"github.com/gomodule/redigo/redis"
)

func equal(got, wanted interface{}) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Sprintf("got %v, not %v", got, wanted))
	}
}

func main() {
	conn, err := redis.Dial("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	ask := func(name string, words ...interface{}) interface{} {
		answer, err := conn.Do(name, words...)
		if err != nil {
			panic(err)
		}
		return answer
	}
	blob := make([]byte, 256)
	for i := range blob {
		blob[i] = byte(i)
	}
	blob = append(blob, "\r\n"...)

	equal(ask("PING"), "PONG")
	start := ask("add", 0).(int64)
	equal(ask("ADD", "2"), start+2)
	equal(ask("words", "a b", "c"), []interface{}{[]byte("a b"), []byte("c")})
	equal(ask("nothing"), nil)
	equal(ask("blob"), blob)
	back := ask("reverse", blob).([]byte)
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	equal(bytes.Equal(back, blob), true)

	_, err = conn.Do("fetch", "tea")
	equal(err, redis.Error("NOTFOUND there is no tea"))

	for i := 0; i < 100; i++ {
		if err := conn.Send("add", 1); err != nil {
			panic(err)
		}
	}
	// An empty command reads the answers of all that were sent.
	totals, err := redis.Int64s(conn.Do(""))
	equal(err, nil)
	equal(len(totals), 100)
	for i, total := range totals {
		equal(total, start+3+int64(i))
	}

	// A late answer would be taken for the next command's.
	equal(ask("nap", "5s"), "OK")
	equal(ask("PING"), "PONG")
	equal(ask("words", "b"), []interface{}{[]byte("b")})
	conn.Close()
	fmt.Println("redigo ok")
}
