package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

const folderPrefix = "cpr-operator-cluster-"

// run starts a control plane, runs a command against it and gives the command's exit status as an error.
func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dir := flags.String("dir", "", "")
	announce := flags.Bool("print", false, "")
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
	signals := process.CatchSignals()
	return withPlane(*dir, signals, func(p *plane.Plane, group *process.Group, logs string) error {
		if *announce {
			process.Say("kubeconfig %s, logs %s", p.Kubeconfig, filepath.Join(logs, "*.log"))
		}
		command.Env = append(command.Env, "KUBECONFIG="+p.Kubeconfig, "KUBECACHEDIR="+filepath.Join(logs, "kubectl-cache"))
		return group.Supervise(command, signals)
	})
}

// up starts a control plane in a folder and keeps it until a signal comes.
func up(args []string) error {
	if len(args) != 1 {
		return process.ErrUsage
	}
	signals := process.CatchSignals()
	return withPlane(args[0], signals, func(p *plane.Plane, group *process.Group, _ string) error {
		fmt.Println(p.Kubeconfig)
		select {
		case <-signals:
			return nil
		case gone := <-group.Gone:
			return group.Lost(gone)
		}
	})
}

// withPlane starts a control plane in a folder, and stops it after its use; an error comes with the logs that explain it.
func withPlane(dir string, signals <-chan os.Signal, use func(*plane.Plane, *process.Group, string) error) error {
	folder, err := process.OpenFolder(dir, folderPrefix)
	if err != nil {
		return err
	}
	defer folder.Close()
	group := process.NewGroup("the control plane", folder.Path)
	defer group.Stop()
	p, err := plane.Start(folder.Path, plane.WithoutNodes, group, signals)
	if err == nil {
		err = use(p, group, folder.Path)
	}
	return group.WithLogs(err)
}
