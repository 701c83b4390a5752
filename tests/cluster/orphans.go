package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of those that the command leaves behind.
func adoptOrphans() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// killOrphans ends what the command left behind. Each one's end may make orphans of its own children, hence the loop.
func (p *plane) killOrphans() {
	for {
		pids := p.orphans()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// orphans lists the children of this process that are not of the control plane.
func (p *plane) orphans() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err == nil && !p.owns(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func (p *plane) owns(pid int) bool {
	return slices.ContainsFunc(p.components, func(c *component) bool { return c.command.Process.Pid == pid })
}
