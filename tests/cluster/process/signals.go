package process

import (
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// ownState is opened early: the /proc of a process namespace of one's own does not know the groups outside it.
var ownState *os.File

// CatchSignals keeps the signals that ask for an end from ending this program before it has cleaned up.
func CatchSignals() <-chan os.Signal {
	ownState, _ = os.Open("/proc/self/stat")
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// interrupted is the exit status of a program that a signal ended.
func interrupted(s os.Signal) ExitStatus {
	number, _ := s.(syscall.Signal)
	return ExitStatus(128 + int(number))
}

// cameFromTerminal tells whether the terminal sent a signal, which then went to the command as well: both are of one
// process group. Passing it on would make it the second, which means "now" instead of "please".
func cameFromTerminal(s os.Signal) bool {
	if s == syscall.SIGTERM || ownState == nil {
		return false
	}
	text := make([]byte, 4096)
	length, _ := ownState.ReadAt(text, 0)
	_, numbers, _ := strings.Cut(string(text[:length]), ") ") // the name before them may hold spaces
	fields := strings.Fields(numbers)
	const group, terminalsGroup = 2, 5 // proc(5): pgrp and tpgid
	return len(fields) > terminalsGroup && fields[group] == fields[terminalsGroup]
}
