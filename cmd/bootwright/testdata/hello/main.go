// Command hello is a service for tests of extensions. By HTTP it answers with what it was given and does what it is asked to.
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "hangup" {
		fmt.Println("hello: SIGHUP to PID 1:", syscall.Kill(1, syscall.SIGHUP))
		return
	}
	greeting, err := os.ReadFile("/etc/hello/greeting")
	fmt.Println("hello: begins", err)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, string(greeting), os.Getenv("WHO"), os.Args[1:])
	})
	http.HandleFunc("/memory", memory)
	http.HandleFunc("/end", func(http.ResponseWriter, *http.Request) { fmt.Println("hello: was told the end") })
	http.HandleFunc("/host/", func(w http.ResponseWriter, q *http.Request) {
		text, err := os.ReadFile(q.URL.Path)
		answer(w, string(text), err)
	})
	http.HandleFunc("/pull/", func(w http.ResponseWriter, q *http.Request) {
		digest, err := pull(q.Context(), strings.TrimPrefix(q.URL.Path, "/pull/"))
		answer(w, digest, err)
	})
	http.HandleFunc("/get", func(w http.ResponseWriter, q *http.Request) {
		text, err := ask(q.URL.RawQuery)
		answer(w, text, err)
	})
	http.HandleFunc("/count", func(http.ResponseWriter, *http.Request) { go count() })
	http.HandleFunc("/reload", reload)
	fmt.Println(http.ListenAndServe(":8080", nil))
	os.Exit(3)
}

func answer(w http.ResponseWriter, text string, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, text)
}

// ask is what a server answers, whose URL is escaped.
func ask(address string) (string, error) {
	address, err := url.QueryUnescape(address)
	if err != nil {
		return "", err
	}
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Get(address)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

// count says numbers for as long as the machine runs.
func count() {
	for n := 1; ; n++ {
		fmt.Println("hello: counts", n)
		time.Sleep(100 * time.Millisecond)
	}
}

// reload lets init read its configuration again: by a container that shares init's processes, as this one does not.
func reload(w http.ResponseWriter, _ *http.Request) {
	out, err := exec.Command("/usr/bin/ctr", "run", "--rm", "--rootfs", "--with-ns", "pid:/proc/1/ns/pid",
		"/usr/local/lib/containers/hello", fmt.Sprint("hangup-", time.Now().UnixNano()), "/hello", "hangup").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	answer(w, string(out), err)
}

// memory lists what the machine's processes take.
func memory(w http.ResponseWriter, _ *http.Request) {
	files, _ := filepath.Glob("/host/proc/[0-9]*/status")
	for _, name := range files {
		text, _ := os.ReadFile(name)
		var program, resident string
		for line := range strings.Lines(string(text)) {
			switch key, value, _ := strings.Cut(line, ":"); key {
			case "Name":
				program = strings.TrimSpace(value)
			case "VmRSS":
				resident = strings.TrimSpace(value)
			}
		}
		if resident != "" {
			fmt.Fprintln(w, program, resident)
		}
	}
}
