package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

const apiPort = "6443"

// inside is the first process of its namespaces: it brings the cluster up and runs the command beside it.
func inside(args []string) error {
	if len(args) < 3 {
		return process.ErrUsage
	}
	signals := process.CatchSignals()
	dir, cgroup := args[0], args[1]
	command, err := process.Command(args[2:])
	if err != nil {
		return err
	}
	if err := separateHub(dir); err != nil {
		return err
	}
	group := process.NewGroup("the cluster", dir)
	began := time.Now()
	p, err := bringUp(dir, cgroup, group, signals)
	if err == nil {
		process.Say("nodes and DNS ready after %.1f s", time.Since(began).Seconds())
		command.Env = append(command.Env, environment(dir, p)...)
		err = group.Supervise(command, signals)
	}
	return group.WithLogs(err)
}

// separateHub makes the part of the namespaces that the control plane and the command share.
func separateHub(dir string) error {
	if err := makeMountsPrivate(); err != nil {
		return err
	}
	if err := mountProc(); err != nil {
		return err
	}
	if err := useClusterDNS(filepath.Join(dir, dataFolder)); err != nil {
		return err
	}
	return makeHub()
}

// bringUp starts everything and returns when it is of use.
func bringUp(dir, cgroup string, group *process.Group, signals <-chan os.Signal) (*plane.Plane, error) {
	data := filepath.Join(dir, dataFolder)
	for _, m := range machines {
		if err := startMachine(m, dir, cgroup, group); err != nil {
			return nil, err
		}
	}
	options := plane.Options{Address: net.JoinHostPort(hubAddress, apiPort), Nodes: names()}
	p, err := plane.Start(data, options, group, signals)
	if err != nil {
		return nil, err
	}
	if err := joinMachines(dir, p, group, signals); err != nil {
		return nil, err
	}
	if err := startDNS(data, p, group); err != nil {
		return nil, err
	}
	return p, awaitReady(p, group, signals)
}

// startDNS starts CoreDNS beside the control plane and not as a pod, so that draining a node takes no names away.
func startDNS(data string, p *plane.Plane, group *process.Group) error {
	file := filepath.Join(data, "Corefile")
	if err := writeConfig("Corefile", file, map[string]string{"Address": hubAddress, "Kubeconfig": p.Kubeconfig}); err != nil {
		return err
	}
	return group.Start(dnsCommand, process.Self(dnsCommand, "-conf", file))
}

// environment is what the command gets to know.
func environment(dir string, p *plane.Plane) []string {
	self, _ := os.Executable() // it was found when this process was started
	return []string{
		"KUBECONFIG=" + p.Kubeconfig,
		"KUBECACHEDIR=" + filepath.Join(dir, dataFolder, "kubectl-cache"),
		"NODE_ADDRESS=" + hubAddress,
		"NODE_PROGRAM=" + self,
		containerdsVariable + "=" + strings.Join(sockets(dir), ":"),
	}
}
