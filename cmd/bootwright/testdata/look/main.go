// Command look is a service for tests of extensions: it prints files of the machine, which is mounted at /host, a line
// each, and what a program says whose path begins with !.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	for _, arg := range os.Args[1:] {
		program, run := strings.CutPrefix(arg, "!")
		if run {
			said, err := exec.Command("/host" + program).CombinedOutput()
			fmt.Printf("%s says %q %v\n", program, said, err)
			continue
		}
		files, _ := filepath.Glob("/host" + arg)
		for _, file := range files {
			text, err := os.ReadFile(file)
			fmt.Printf("%s = %q %v\n", strings.TrimPrefix(file, "/host"), text, err)
		}
		if files == nil {
			fmt.Println(arg, "is not there")
		}
	}
	fmt.Println("look: is over")
}
