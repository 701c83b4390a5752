package main

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// catchSignals keeps the signals that ask for an end from ending this program before it has cleaned up.
func catchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return signals
}

// interrupted is the exit status of a program that a signal ended.
func interrupted(s os.Signal) exitStatus {
	number, _ := s.(syscall.Signal)
	return exitStatus(128 + int(number))
}

// cameFromTerminal tells whether the terminal sent a signal, which then went to the command as well: both are of one
// process group. Passing it on would make it the second, which means "now" instead of "please".
func cameFromTerminal(s os.Signal) bool {
	if s == syscall.SIGTERM {
		return false
	}
	terminal, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer terminal.Close()
	foreground, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPGRP)
	return err == nil && foreground == unix.Getpgrp()
}
