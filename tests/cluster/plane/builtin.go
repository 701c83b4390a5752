package plane

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

	"testbed/cluster/process"
)

// ServeCommand is the hidden subcommand under which a program starts itself as the control plane.
const ServeCommand = "serve"

// listenerFD is the first of the files that a process hands to its child.
const listenerFD = 3

// startBuiltIn starts this program once more as the control plane and hands it an open port, which nobody can take away
// in between.
func (p *Plane) startBuiltIn(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer file.Close()
	if err := p.listensOn(listener.Addr().String()); err != nil {
		return err
	}
	command := process.Self(ServeCommand, p.dir)
	command.Dir, command.ExtraFiles = p.dir, []*os.File{file}
	if err := p.group.Start("control-plane", command); err != nil {
		return err
	}
	if err := p.awaitAPI(); err != nil {
		return err
	}
	return p.awaitControllers()
}

// Scheduler runs a scheduler with the kubeconfig until it fails.
type Scheduler func(kubeconfig string) error

// Serve runs etcd, API server, controllers and, for a cluster with nodes, the scheduler in this process until one of
// them fails.
func Serve(args []string, schedule Scheduler) error {
	if len(args) != 1 {
		return process.ErrUsage
	}
	dir := args[0]
	listener, err := net.FileListener(os.NewFile(listenerFD, "listener"))
	if err != nil {
		return fmt.Errorf("%s is started by this program only: %w", ServeCommand, err)
	}
	// API server and controllers both set logging up, which is refused the second time.
	logsapi.ReapplyHandling = logsapi.ReapplyHandlingIgnoreUnchanged
	rest.SetDefaultWarningHandler(rest.NoWarnings{})

	etcdURL, err := serveEtcd(dir)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	address, nodes := listener.Addr().String(), schedule != nil
	failed := make(chan error, 3)
	go func() { failed <- fmt.Errorf("API server: %w", ended(serveAPI(dir, etcdURL, listener, nodes))) }()
	go func() {
		awaitReady(address) // the controllers give up early on a slow machine
		if nodes {
			go func() {
				failed <- fmt.Errorf("scheduler: %w", ended(schedule(filepath.Join(dir, schedulerKubeFile))))
			}()
		}
		failed <- fmt.Errorf("controllers: %w", ended(serveControllers(dir, nodes)))
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
	config.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration // without it every request is one
	config.EnableGRPCGateway = false                                              // it would look for itself on port 0
	wal.SegmentSizeBytes = 4 << 20                                                // the default reserves 128 MB at once
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
func serveAPI(dir, etcdURL string, listener net.Listener, nodes bool) error {
	o := options.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		flags.AddFlagSet(set)
	}
	args := apiServerFlags(dir, etcdURL, listener.Addr().String())
	if nodes {
		args = append(args, apiServerFlagsWithNodes(dir)...)
	} else {
		args = append(args, apiServerFlagsWithoutNodes()...)
	}
	if err := flags.Parse(args); err != nil {
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

func serveControllers(dir string, nodes bool) error {
	controllers := controllersWithoutNodes
	if nodes {
		controllers = []string{"*"}
	}
	command := controllermanager.NewControllerManagerCommand()
	command.SetArgs(controllerFlags(dir, controllers...))
	return command.Execute()
}

func awaitReady(address string) {
	client := &http.Client{
		Timeout: 2 * time.Second,
		// It asks this very process.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
	}
	defer client.CloseIdleConnections()
	for {
		response, err := client.Get("https://" + address + "/readyz")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}
