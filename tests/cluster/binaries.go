package main

import (
	"net"
	"os"
	"path/filepath"
)

// startBinaries starts the programs of a folder such as envtest's instead of the built-in ones.
func (p *plane) startBinaries(folder string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer, secure := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1], ports[2]
	if err := p.listensOn(secure); err != nil {
		return err
	}
	if err := p.startComponent("etcd", filepath.Join(folder, "etcd"), []string{
		"--data-dir=" + filepath.Join(p.dir, "etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--log-level=warn", "--unsafe-no-fsync",
	}); err != nil {
		return err
	}
	api := filepath.Join(folder, "kube-apiserver")
	if err := p.startComponent("kube-apiserver", api, apiServerFlags(p.dir, client, secure)); err != nil {
		return err
	}
	if err := p.awaitAPI(); err != nil {
		return err
	}
	manager := filepath.Join(folder, "kube-controller-manager")
	if _, err := os.Stat(manager); err != nil {
		say("no kube-controller-manager in %s: namespaces are not emptied, nothing is garbage-collected", folder)
		return nil
	}
	if err := p.startComponent("kube-controller-manager", manager, controllerFlags(p.dir)); err != nil {
		return err
	}
	return p.awaitControllers()
}

// freePorts gives ports that are free at this moment.
func freePorts(count int) ([]string, error) {
	var ports []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close() // held until all are chosen, so that they differ
		ports = append(ports, portOf(listener.Addr()))
	}
	return ports, nil
}
