// The reference of all ratios: net/http and nothing else, with an answer as long as the broker's. No check, no count.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime"
)

func main() {
	path := flag.String("unix", "", "where the socket is made")
	address := flag.String("tcp", "", "such as 127.0.0.1:9000")
	size := flag.Int("body", 600, "bytes of an answer")
	version := flag.Bool("version", false, "say which Go made this")
	flag.Parse()
	if *version {
		fmt.Println(runtime.Version())
		return
	}
	body := bytes.Repeat([]byte("x"), *size)
	http.HandleFunc("/v1/token", func(answer http.ResponseWriter, _ *http.Request) {
		answer.Header().Set("Content-Type", "application/json")
		answer.Header().Set("Cache-Control", "no-store")
		answer.Write(body)
	})
	tcp, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(http.Serve(tcp, nil)) }()
	unix, err := net.Listen("unix", *path)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(unix, nil))
}
