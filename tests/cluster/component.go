package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
)

// component is one process of the control plane, logging to a file of its name.
type component struct {
	name     string
	command  *exec.Cmd
	stopping atomic.Bool
	ended    chan struct{}
}

// startComponent starts a process that ends when this program does, however that comes about, and that no signal from
// the terminal reaches: the command may need the API while it cleans up.
func (p *plane) startComponent(name, program string, args []string, files ...*os.File) error {
	log, err := os.OpenFile(filepath.Join(p.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(program, args...)
	command.Dir = p.dir
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = files
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		return err
	}
	c := &component{name: name, command: command, ended: make(chan struct{})}
	p.components = append(p.components, c)
	go func() {
		_ = command.Wait()
		close(c.ended)
		if !c.stopping.Load() {
			p.gone <- c
		}
	}()
	return nil
}

func (c *component) kill() {
	c.stopping.Store(true)
	_ = c.command.Process.Kill()
	<-c.ended
}
