// Package process runs programs beside each other: components that have to live, and a command that uses them.
package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

const logTail = 10

// A child dies with the thread that started it (see Start), so all of them are started by the main thread.
func init() { runtime.LockOSThread() }

// Group is the components of one thing, each logging to a file of its name.
type Group struct {
	name       string
	logs       string
	components []*component
	Gone       chan *component // what ended by itself
}

type component struct {
	name     string
	command  *exec.Cmd
	stopping atomic.Bool
	ended    chan struct{}
}

// NewGroup is of a thing that users know by the name; its logs go to the folder.
func NewGroup(name, logs string) *Group {
	return &Group{name: name, logs: logs, Gone: make(chan *component, 8)}
}

// Start starts a component that ends when this program does, however that comes about, and that no signal from the
// terminal reaches: the command may need it while it cleans up.
func (g *Group) Start(name string, command *exec.Cmd) error {
	log, err := os.OpenFile(filepath.Join(g.logs, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	command.SysProcAttr.Setpgid, command.SysProcAttr.Pdeathsig = true, syscall.SIGKILL
	if err := command.Start(); err != nil {
		return err
	}
	c := &component{name: name, command: command, ended: make(chan struct{})}
	g.components = append(g.components, c)
	go func() {
		_ = command.Wait()
		close(c.ended)
		if !c.stopping.Load() {
			g.Gone <- c
		}
	}()
	return nil
}

// Await returns when something is so, unless a component ends, a signal comes or the time is up.
func (g *Group) Await(what string, limit time.Duration, signals <-chan os.Signal, isSo func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(limit)
	for {
		select {
		case <-tick.C:
			if isSo() {
				return nil
			}
		case gone := <-g.Gone:
			return g.Lost(gone)
		case signal := <-signals:
			return interrupted(signal)
		case <-late:
			return &failure{fmt.Sprintf("%s: not within %v", what, limit), "*"}
		}
	}
}

// failure is what logs may explain: those whose names match a pattern.
type failure struct{ text, logs string }

func (f *failure) Error() string { return f.text }

// Lost says which component ended, and how.
func (g *Group) Lost(c *component) error {
	return &failure{fmt.Sprintf("%s died: %s ended (%v)", g.name, c.name, c.command.ProcessState), c.name + "*"}
}

// WithLogs adds the ends of the logs that may explain an error.
func (g *Group) WithLogs(err error) error {
	var failed *failure
	if errors.As(err, &failed) {
		return fmt.Errorf("%w\n%s", err, lastLines(filepath.Join(g.logs, failed.logs+".log"), logTail))
	}
	return err
}

// Stop ends the components at once: nothing of theirs is needed afterwards, and files already written stay consistent.
func (g *Group) Stop() {
	for _, c := range g.components {
		c.stopping.Store(true)
		_ = c.command.Process.Kill()
		<-c.ended
	}
}

func (g *Group) owns(pid int) bool {
	return slices.ContainsFunc(g.components, func(c *component) bool { return c.command.Process.Pid == pid })
}
