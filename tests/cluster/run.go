package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a command may take to end by itself once its control plane is gone.
const patience = 5 * time.Second

// run starts a control plane, runs a command against it and gives the command's exit status as an error.
func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "")
	announce := flags.Bool("print", false, "")
	if flags.Parse(args) != nil || flags.NArg() == 0 {
		return errUsage
	}
	command := flags.Args()
	program, err := exec.LookPath(command[0])
	if err != nil {
		say("%v", err)
		return exitStatus(exitNotFound)
	}
	if os.Getenv("CLUSTER") == "current" {
		return syscall.Exec(program, command, os.Environ())
	}

	signals := catchSignals()
	folder, err := openFolder(*dir)
	if err != nil {
		return err
	}
	defer folder.close()
	plane, err := start(folder.path, signals)
	if err != nil {
		return err
	}
	defer plane.stop()
	if *announce {
		say("kubeconfig %s, logs %s", plane.kubeconfig, filepath.Join(folder.path, "*.log"))
	}
	return plane.supervise(program, command, signals)
}

// up starts a control plane in a folder and keeps it until a signal comes.
func up(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	signals := catchSignals()
	folder, err := openFolder(args[0])
	if err != nil {
		return err
	}
	defer folder.close()
	plane, err := start(folder.path, signals)
	if err != nil {
		return err
	}
	defer plane.stop()
	fmt.Println(plane.kubeconfig)
	select {
	case <-signals:
		return nil
	case gone := <-plane.gone:
		return plane.lost(gone)
	}
}

// supervise runs the command to its end, passes signals on to it, and ends it when the control plane dies.
func (p *plane) supervise(program string, command []string, signals <-chan os.Signal) error {
	adoptOrphans()
	defer p.killOrphans()
	cmd := &exec.Cmd{
		Path:        program,
		Args:        command,
		Stdin:       os.Stdin,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		Env:         append(os.Environ(), "KUBECONFIG="+p.kubeconfig, "KUBECACHEDIR="+filepath.Join(p.dir, "kubectl-cache")),
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM},
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if cmd.ProcessState == nil {
				return err
			}
			return statusOf(cmd.ProcessState)
		case signal := <-signals:
			if !cameFromTerminal(signal) {
				_ = cmd.Process.Signal(signal)
			}
		case gone := <-p.gone:
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(patience):
				_ = cmd.Process.Kill()
				<-ended
			}
			return p.lost(gone)
		}
	}
}

// statusOf gives a process's end as a shell would: its exit status, or 128 and the signal that killed it.
func statusOf(state *os.ProcessState) error {
	if wait, ok := state.Sys().(syscall.WaitStatus); ok && wait.Signaled() {
		return exitStatus(128 + int(wait.Signal()))
	}
	if state.Success() {
		return nil
	}
	return exitStatus(state.ExitCode())
}
