package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"testbed/cluster/process"
)

const (
	namePrefix = "cpr-operator-node-"
	dataFolder = "data" // in a run's folder: what is of no use afterwards
	longestDir = 60     // a socket's path has 107 characters at most
)

// run runs a command in namespaces of its own, beside a cluster, and leaves nothing of it behind.
func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "")
	if flags.Parse(args) != nil || flags.NArg() == 0 {
		return process.ErrUsage
	}
	command, err := process.Command(flags.Args())
	if err != nil {
		return err
	}
	if os.Getenv("CLUSTER") == "current" {
		return process.Become(command)
	}
	if err := checkNeeds(); err != nil {
		return err
	}
	signals := process.CatchSignals()
	folder, err := openFolder(*dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	defer os.RemoveAll(filepath.Join(folder.Path, dataFolder))
	err = runInside(folder.Path, flags.Args(), signals)
	if err != nil && folder.Temporary {
		process.Say("failed; with --dir DIR the logs stay")
	} else if err != nil {
		process.Say("failed; the logs are in %s", folder.Path)
	}
	return err
}

// runInside starts this program once more, as the first process of new namespaces: with it all others there end.
func runInside(dir string, args []string, signals <-chan os.Signal) error {
	group, err := claimCgroup()
	if err != nil {
		return err
	}
	defer group.remove()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command, err := process.Command(append([]string{self, insideCommand, dir, group.name}, args...))
	if err != nil {
		return err
	}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	return process.NewGroup("", dir).Supervise(command, signals)
}

// openFolder opens a folder in which containers can be stacked.
func openFolder(dir string) (*process.Folder, error) {
	folder, err := process.OpenFolder(dir, namePrefix)
	if err != nil {
		return nil, err
	}
	if err := checkFolder(folder.Path); err != nil {
		folder.Close()
		return nil, err
	}
	data := filepath.Join(folder.Path, dataFolder)
	if err := os.RemoveAll(data); err != nil { // of a run that was killed
		folder.Close()
		return nil, err
	}
	return folder, os.Mkdir(data, 0o700)
}

func checkFolder(path string) error {
	const hint = "name another with --dir DIR or TMPDIR"
	if len(path) > longestDir || strings.Contains(path, ":") {
		return fmt.Errorf("%s: a path of at most %d characters without a colon is needed: %s", path, longestDir, hint)
	}
	var system unix.Statfs_t
	if err := unix.Statfs(path, &system); err != nil {
		return err
	}
	if system.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return fmt.Errorf("%s is on an overlay file system, on which containers cannot be stacked: %s", path, hint)
	}
	return nil
}
