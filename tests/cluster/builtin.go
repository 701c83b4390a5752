package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

// serveCommand is the hidden subcommand under which this program starts itself as the control plane.
const serveCommand = "serve"

// listenerFD is the first of the files that a process hands to its child.
const listenerFD = 3

// startBuiltIn starts this program once more as the control plane and hands it an open port, which nobody can take away
// in between.
func (p *plane) startBuiltIn() error {
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer listener.Close()
	file, err := listener.File()
	if err != nil {
		return err
	}
	defer file.Close()
	if err := p.listensOn(portOf(listener.Addr())); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := p.startComponent("control-plane", self, []string{serveCommand, p.dir}, file); err != nil {
		return err
	}
	if err := p.awaitAPI(); err != nil {
		return err
	}
	return p.awaitControllers()
}

// serve runs etcd, API server and controllers in this process until one of them fails.
func serve(args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	dir := args[0]
	listener, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("%s is started by run and up only: %w", serveCommand, err)
	}
	// API server and controllers both set logging up, which is refused the second time.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	etcdURL, err := serveEtcd(dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	failed := make(chan error, 2)
	go func() { failed <- fmt.Errorf("API server: %w", ended(serveAPI(dir, etcdURL, listener))) }()
	go func() {
		awaitReady(portOf(listener.Addr())) // the controllers give up early on a slow machine
		failed <- fmt.Errorf("controllers: %w", ended(serveControllers(dir)))
	}()
	return <-failed
}

func ended(err error) error {
	if err == nil {
		return errors.New("ended")
	}
	return err
}

// serveEtcd gives the address of an etcd that keeps its data in the folder, but not through a power cut.
func serveEtcd(dir string) (string, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "warn"
	config.UnsafeNoFsync = true
	config.EnableGRPCGateway = false // it would look for itself on port 0
	wal.SegmentSizeBytes = 4 << 20   // the default reserves 128 MB at once
	anyPort := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.ListenClientUrls, config.AdvertiseClientUrls = anyPort, anyPort
	config.ListenPeerUrls, config.AdvertisePeerUrls = anyPort, anyPort
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	<-etcd.Server.ReadyNotify()
	return "http://" + etcd.Clients[0].Addr().String(), nil
}

// serveAPI does what the kube-apiserver command does, but on a port that is already open.
func serveAPI(dir, etcdURL string, listener net.Listener) error {
	o := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(apiServerFlags(dir, etcdURL, portOf(listener.Addr()))); err != nil {
		return err
	}
	o.SecureServing.Listener = listener
	registry := o.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return err
	}
	gates := registry.FeatureGateFor(compatibility.DefaultKubeComponent)
	if err := logsapi.ValidateAndApply(o.Logs, gates); err != nil {
		return err
	}
	ctx := context.Background()
	completed, err := o.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := completed.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	return apiserver.Run(ctx, completed)
}

func serveControllers(dir string) error {
	command := controllermanager.NewControllerManagerCommand()
	command.SetArgs(controllerFlags(dir))
	return command.Execute()
}

func awaitReady(port string) {
	client := &http.Client{
		Timeout: 2 * time.Second,
		// It asks this very process.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	defer client.CloseIdleConnections()
	for {
		response, err := client.Get("https://127.0.0.1:" + port + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func portOf(address net.Addr) string {
	return strconv.Itoa(address.(*net.TCPAddr).Port)
}
