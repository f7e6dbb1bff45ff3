package grub

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Environment is GRUB's environment block (GRUB manual, "Environment block"): a file of 1024 bytes that GRUB reads and, alone of all files,
// writes, over its old sectors. What is in it fits into the first of them, so that a power cut leaves the old count or the new.
type Environment struct {
	Trial string // the system whose tries are counted; empty for none
	Tries int    // that are left
}

// Tries is how often a system is started that never says that it is good.
const Tries = 3

const (
	environmentSize   = 1024
	environmentHeader = "# GRUB Environment Block\n"
)

// String is the file.
func (e Environment) String() string {
	text := environmentHeader
	if e.Trial != "" {
		text += fmt.Sprintf("trial=%s\ntries=%d\n", e.Trial, e.Tries)
	}
	return text + strings.Repeat("#", environmentSize-len(text))
}

// ParseEnvironment reads a file that String or GRUB wrote. The error is Invalid.
func ParseEnvironment(text string) (Environment, error) {
	var e Environment
	if len(text) != environmentSize || !strings.HasPrefix(text, environmentHeader) {
		return e, report.Errorf(report.Invalid, "grubenv: no environment block of %d bytes", environmentSize)
	}
	if found := regexp.MustCompile(`(?m)^trial=([0-9a-f]{1,64})$`).FindStringSubmatch(text); found != nil {
		e.Trial = found[1]
	}
	found := regexp.MustCompile(`(?m)^tries=([0-9])$`).FindStringSubmatch(text)
	switch {
	case e.Trial == "":
		return e, nil
	case found == nil:
		return Environment{}, report.Errorf(report.Invalid, "grubenv: %s is on trial without a number of tries", e.Trial)
	}
	e.Tries, _ = strconv.Atoi(found[1]) // one digit
	return e, nil
}
