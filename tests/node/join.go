package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"testbed/cluster/plane"
	"testbed/cluster/process"
)

// startMachine starts this program once more, in namespaces of the machine's own.
func startMachine(m machine, dir, cgroup string, group *process.Group) error {
	if err := m.makeFolders(dir); err != nil {
		return err
	}
	command := process.Self(machineCommand, m.Name, cgroup)
	command.Dir = dir
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET}
	return group.Start(m.Name, command)
}

// joinMachines makes nodes of the machines.
func joinMachines(dir string, p *plane.Plane, group *process.Group, signals <-chan os.Signal) error {
	containerds := sockets(dir)
	for _, socket := range containerds {
		if err := group.Await(socket, readyLimit, signals, func() bool { return exists(socket) }); err != nil {
			return err
		}
	}
	if err := importPause(containerds); err != nil {
		return err
	}
	for _, m := range machines {
		if err := m.join(dir, p); err != nil {
			return err
		}
	}
	return nil
}

// join gives the machine what it needs to be a node of the cluster.
func (m machine) join(dir string, p *plane.Plane) error {
	settings := filepath.Join(m.folder(dir), settingsFolder)
	if err := os.WriteFile(filepath.Join(settings, "ca.crt"), p.Authority, 0o600); err != nil {
		return err
	}
	server := plane.Server(m.Name, net.ParseIP(m.Address))
	if err := p.Issue(settings, "kubelet.crt", "kubelet.key", server); err != nil {
		return err
	}
	for file, user := range map[string]plane.User{
		"kubelet.kubeconfig": plane.Kubelet(m.Name),
		"proxy.kubeconfig":   plane.Proxy,
	} {
		if err := p.WriteKubeconfig(filepath.Join(settings, file), user); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(m.folder(dir), joinedFile), nil, 0o600)
}
