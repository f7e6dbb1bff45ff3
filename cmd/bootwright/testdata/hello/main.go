// Command hello is a service for tests of extensions: it answers HTTP with what it was given.
package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	greeting, err := os.ReadFile("/etc/hello/greeting")
	fmt.Println("hello: begins", err)
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, string(greeting), os.Getenv("WHO"), os.Args[1:])
	})
	http.HandleFunc("/memory", memory)
	http.HandleFunc("/end", func(http.ResponseWriter, *http.Request) { fmt.Println("hello: was told the end") })
	fmt.Println(http.ListenAndServe(":8080", nil))
	os.Exit(3)
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
