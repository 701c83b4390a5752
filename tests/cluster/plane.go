package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	startLimit = 3 * time.Minute // 4 s on an idle machine
	logTail    = 20
)

// plane is a running control plane: its processes and how to reach it.
type plane struct {
	dir         string
	kubeconfig  string
	server      string
	credentials *credentials
	signals     <-chan os.Signal
	components  []*component
	gone        chan *component // what ended by itself
}

// start gives a control plane that is ready for use, or an error with the end of its logs.
func start(dir string, signals <-chan os.Signal) (*plane, error) {
	credentials, err := makeCredentials(dir)
	if err != nil {
		return nil, err
	}
	p := &plane{
		dir:         dir,
		kubeconfig:  filepath.Join(dir, kubeconfigFile),
		credentials: credentials,
		signals:     signals,
		gone:        make(chan *component, 3),
	}
	began := time.Now()
	if assets := os.Getenv("KUBEBUILDER_ASSETS"); assets != "" {
		err = p.startBinaries(assets)
	} else {
		err = p.startBuiltIn()
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	say("control plane ready after %.1f s", time.Since(began).Seconds())
	return p, nil
}

// listensOn writes the kubeconfigs for a port of this machine.
func (p *plane) listensOn(port string) error {
	p.server = "https://127.0.0.1:" + port
	c := p.credentials
	controllers := filepath.Join(p.dir, controllerKubeFile)
	if err := os.WriteFile(controllers, c.kubeconfig(p.server, c.controllerToken), 0o600); err != nil {
		return err
	}
	return os.WriteFile(p.kubeconfig, c.kubeconfig(p.server, c.adminToken), 0o600)
}

func (p *plane) awaitAPI() error { return p.await("/readyz") }

// awaitControllers waits for something that only a controller makes.
func (p *plane) awaitControllers() error {
	return p.await("/api/v1/namespaces/default/serviceaccounts/default")
}

// await asks for a path until the answer is 200, unless a component ends, a signal comes or the time is up.
func (p *plane) await(path string) error {
	client := p.client()
	defer client.CloseIdleConnections()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(startLimit)
	for {
		select {
		case <-tick.C:
			if p.answers(client, path) {
				return nil
			}
		case gone := <-p.gone:
			return p.lost(gone)
		case signal := <-p.signals:
			return interrupted(signal)
		case <-limit:
			return fmt.Errorf("no answer from %s%s within %v\n%s", p.server, path, startLimit, lastLines(p.dir, logTail))
		}
	}
}

func (p *plane) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.credentials.authority)
	return &http.Client{
		Timeout:   2 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}
}

func (p *plane) answers(client *http.Client, path string) bool {
	request, err := http.NewRequest(http.MethodGet, p.server+path, nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "Bearer "+p.credentials.adminToken)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// lost says which part of the control plane ended, how, and what it said last.
func (p *plane) lost(c *component) error {
	return fmt.Errorf("the control plane died: %s ended (%v)\n%s", c.name, c.command.ProcessState, lastLines(p.dir, logTail))
}

// stop ends the components at once: nothing of theirs is needed afterwards, and files already written stay consistent.
func (p *plane) stop() {
	for _, c := range p.components {
		c.kill()
	}
}
