package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 127
)

// ErrUsage is what a program says about arguments that it does not understand.
var ErrUsage = errors.New("wrong arguments")

// ExitStatus is the status of a command that ended, to be passed on without a word.
type ExitStatus int

func (s ExitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Report tells what went wrong, if anything, and gives the exit status for it.
func Report(err error, usage string) int {
	var status ExitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, ErrUsage):
		fmt.Fprint(os.Stderr, usage)
		return exitUsage
	default:
		Say("%v", err)
		return exitFailed
	}
}

// Say writes one line for the person at the terminal.
func Say(format string, values ...any) {
	fmt.Fprintf(os.Stderr, filepath.Base(os.Args[0])+": "+format+"\n", values...)
}

// statusOf gives a process's end as a shell would: its exit status, or 128 and the signal that killed it.
func statusOf(state *os.ProcessState) error {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return ExitStatus(128 + int(wait.Signal()))
	}
	if state.Success() {
		return nil
	}
	return ExitStatus(state.ExitCode())
}
