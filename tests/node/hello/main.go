// Command hello is what the trial's pods run: a server that says its host's name, and a few questions to the outside of
// its pod, for use with exec. It needs no shell and no libraries.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	if len(os.Args) != 3 {
		serve()
	}
	var err error
	switch os.Args[1] {
	case "get":
		err = get(os.Args[2])
	case "lookup":
		err = lookup(os.Args[2])
	default:
		err = fmt.Errorf("hello: no %s, only get URL and lookup NAME", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve() {
	host, _ := os.Hostname() // its absence would show in the answer
	http.HandleFunc("/", func(response http.ResponseWriter, request *http.Request) {
		fmt.Fprintf(response, "hello from %s to %s\n", host, request.RemoteAddr)
	})
	fmt.Println("listening as user", os.Getuid())
	fmt.Fprintln(os.Stderr, http.ListenAndServe(":8080", nil))
	os.Exit(1)
}

func get(url string) error {
	response, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}

func lookup(name string) error {
	addresses, err := net.LookupHost(name)
	if err == nil {
		fmt.Println(addresses)
	}
	return err
}
