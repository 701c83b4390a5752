package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

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

func bringUp(dir, cgroup string, group *process.Group, signals <-chan os.Signal) (*plane.Plane, error) {
	data := filepath.Join(dir, dataFolder)
	for _, m := range machines {
		if err := startMachine(m, dir, cgroup, group); err != nil {
			return nil, err
		}
	}
	p, err := plane.Start(data, plane.Options{Address: net.JoinHostPort(hubAddress, apiPort), Nodes: names()}, group, signals)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		socket := m.socket(dir)
		if err := group.Await("containerd of "+m.Name, startLimit, signals, func() bool { return exists(socket) }); err != nil {
			return nil, err
		}
	}
	if err := importPause(sockets(dir)); err != nil {
		return nil, err
	}
	for _, m := range machines {
		if err := m.join(dir, p); err != nil {
			return nil, err
		}
	}
	if err := startDNS(data, p, group); err != nil {
		return nil, err
	}
	return p, awaitReady(p, group, signals)
}

// startMachine starts this program once more, in namespaces of the machine's own.
func startMachine(m machine, dir, cgroup string, group *process.Group) error {
	if err := m.makeFolders(dir); err != nil {
		return err
	}
	command := exec.Command("/proc/self/exe", machineCommand, m.Name, cgroup)
	command.Dir = dir
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	return group.Start(m.Name, command)
}

// startDNS starts CoreDNS beside the control plane and not as a pod, so that draining a node takes no names away.
func startDNS(data string, p *plane.Plane, group *process.Group) error {
	file := filepath.Join(data, "Corefile")
	if err := writeConfig("Corefile", file, map[string]string{"Address": hubAddress, "Kubeconfig": p.Kubeconfig}); err != nil {
		return err
	}
	return group.Start(dnsCommand, exec.Command("/proc/self/exe", dnsCommand, "-conf", file))
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
