package plane

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"testbed/cluster/process"
)

// startBinaries starts the programs of a folder such as envtest's instead of the built-in ones.
func (p *Plane) startBinaries(folder string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	client, peer, secure := "http://127.0.0.1:"+ports[0], "http://127.0.0.1:"+ports[1], "127.0.0.1:"+ports[2]
	if err := p.listensOn(secure); err != nil {
		return err
	}
	if err := p.start("etcd", filepath.Join(folder, "etcd"),
		"--data-dir="+filepath.Join(p.dir, "etcd"),
		"--listen-client-urls="+client, "--advertise-client-urls="+client,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer,
		"--log-level=warn", "--unsafe-no-fsync",
	); err != nil {
		return err
	}
	api := filepath.Join(folder, "kube-apiserver")
	flags := append(apiServerFlags(p.dir, client, secure), apiServerFlagsWithoutNodes()...)
	if err := p.start("kube-apiserver", api, flags...); err != nil {
		return err
	}
	if err := p.awaitAPI(); err != nil {
		return err
	}
	manager := filepath.Join(folder, "kube-controller-manager")
	if _, err := os.Stat(manager); err != nil {
		process.Say("no kube-controller-manager in %s: namespaces are not emptied, nothing is garbage-collected", folder)
		return nil
	}
	flags = controllerFlags(p.dir, controllersWithoutNodes...)
	if err := p.start("kube-controller-manager", manager, flags...); err != nil {
		return err
	}
	return p.awaitControllers()
}

func (p *Plane) start(name, program string, args ...string) error {
	command := exec.Command(program, args...)
	command.Dir = p.dir
	return p.group.Start(name, command)
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
		ports = append(ports, strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}
