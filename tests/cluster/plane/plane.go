// Package plane is a Kubernetes control plane: etcd, API server and controllers in a process of this very program, or
// the programs of a folder such as envtest's.
package plane

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"testbed/cluster/process"
)

const startLimit = 3 * time.Minute // 4 s on an idle machine

// Plane is a running control plane and how to reach it.
type Plane struct {
	*Credentials
	Kubeconfig string // of the administrator
	dir        string
	nodes      bool
	client     *client
	group      *process.Group
	signals    <-chan os.Signal
}

// Options are what differs between control planes.
type Options struct {
	Address string   // to listen on; port 0 stands for one that is free
	Nodes   []string // names of those that run its pods
}

// WithoutNodes is a control plane for this machine only.
var WithoutNodes = Options{Address: "127.0.0.1:0"}

// Start gives a control plane that is ready for use, or an error with the end of its logs. Its processes join the
// group, which is the caller's to stop.
func Start(dir string, options Options, group *process.Group, signals <-chan os.Signal) (*Plane, error) {
	credentials, err := makeCredentials(dir, options)
	if err != nil {
		return nil, err
	}
	p := &Plane{
		Credentials: credentials,
		Kubeconfig:  filepath.Join(dir, kubeconfigFile),
		dir:         dir,
		nodes:       len(options.Nodes) > 0,
		group:       group,
		signals:     signals,
	}
	began := time.Now()
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" && !p.nodes {
		err = p.startBinaries(assets)
	} else {
		err = p.startBuiltIn(options.Address)
	}
	if err != nil {
		return nil, err
	}
	process.Say("control plane ready after %.1f s", time.Since(began).Seconds())
	return p, nil
}

// listensOn writes the kubeconfigs for an address.
func (p *Plane) listensOn(address string) error {
	p.server = "https://" + address
	p.client = newClient(p.server, p.tokens[admin], p.Authority)
	users := map[string]User{kubeconfigFile: admin, controllerKubeFile: controllerManager}
	if p.nodes {
		users[schedulerKubeFile] = scheduler
	}
	for file, user := range users {
		if err := p.WriteKubeconfig(filepath.Join(p.dir, file), user); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plane) awaitAPI() error { return p.await("/readyz") }

// awaitControllers waits for something that only a controller makes.
func (p *Plane) awaitControllers() error {
	return p.await("/api/v1/namespaces/default/serviceaccounts/default")
}

// await asks for a path until there is an answer.
func (p *Plane) await(path string) error {
	what := fmt.Sprintf("an answer from %s%s", p.server, path)
	return p.group.Await(what, startLimit, p.signals, func() bool {
		_, err := p.Get(path)
		return err == nil
	})
}

// Get asks the API server as the administrator and gives the body of a good answer.
func (p *Plane) Get(path string) ([]byte, error) { return p.client.get(path) }
