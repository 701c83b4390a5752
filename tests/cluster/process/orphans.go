package process

import (
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// adoptOrphans makes this process the parent of those that its descendants leave behind.
func adoptOrphans() {
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// TendOrphans adopts what the components leave behind and takes note of its end. From then on only components may be
// started.
func (g *Group) TendOrphans() {
	adoptOrphans()
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			for _, pid := range g.orphans() {
				_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
			}
		}
	}()
}

// killOrphans ends what the command left behind. Each one's end may make orphans of its own children, hence the loop.
func (g *Group) killOrphans() {
	for {
		pids := g.orphans()
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			_, _ = syscall.Wait4(pid, nil, 0, nil)
		}
	}
}

// orphans lists the children of this process that are no components.
func (g *Group) orphans() []int {
	files, _ := filepath.Glob("/proc/self/task/*/children")
	var pids []int
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, field := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(field)
			if err == nil && !g.owns(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
