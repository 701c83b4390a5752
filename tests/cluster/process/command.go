package process

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long a command may take to end by itself once its components are gone.
const patience = 5 * time.Second

// Command is a command with the terminal of this program, which asks it to end when this program dies.
func Command(args []string) (*exec.Cmd, error) {
	program, err := exec.LookPath(args[0])
	if err != nil {
		Say("%v", err)
		return nil, ExitStatus(exitNotFound)
	}
	return &exec.Cmd{
		Path:        program,
		Args:        args,
		Env:         os.Environ(),
		Stdin:       os.Stdin,
		Stdout:      os.Stdout,
		Stderr:      os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM},
	}, nil
}

// Self is this very program with other arguments, even if its file is out of sight or was replaced.
func Self(args ...string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{os.Args[0]}, args...)}
}

// Supervise runs the command to its end, passes signals on to it, and ends it when a component dies.
func (g *Group) Supervise(command *exec.Cmd, signals <-chan os.Signal) error {
	adoptOrphans()
	defer g.killOrphans()
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case err := <-ended:
			if command.ProcessState == nil {
				return err
			}
			return statusOf(command.ProcessState)
		case signal := <-signals:
			if !cameFromTerminal(signal) {
				_ = command.Process.Signal(signal)
			}
		case gone := <-g.Gone:
			_ = command.Process.Signal(syscall.SIGTERM)
			select {
			case <-ended:
			case <-time.After(patience):
				_ = command.Process.Kill()
				<-ended
			}
			return g.Lost(gone)
		}
	}
}

// Become replaces this program by the command; it returns only if that fails.
func Become(command *exec.Cmd) error {
	return syscall.Exec(command.Path, command.Args, command.Env)
}
