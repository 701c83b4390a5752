package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 365 * 24 * time.Hour

// credentials are what the parts of one control plane know each other by; made anew at each start.
type credentials struct {
	authority       []byte // certificate, PEM
	adminToken      string
	controllerToken string
}

// makeCredentials writes the files that the flags in flags.go name.
func makeCredentials(dir string) (*credentials, error) {
	if err := os.MkdirAll(filepath.Join(dir, "pki"), 0o700); err != nil {
		return nil, err
	}
	authority, authorityKey, err := makeAuthority()
	if err != nil {
		return nil, err
	}
	serving, servingKey, err := makeServing(authority, authorityKey)
	if err != nil {
		return nil, err
	}
	accountKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	c := &credentials{
		authority:       pemOf("CERTIFICATE", authority.Raw),
		adminToken:      makeToken(),
		controllerToken: makeToken(),
	}
	files := map[string][]byte{
		authorityFile:      c.authority,
		servingFile:        pemOf("CERTIFICATE", serving),
		servingKeyFile:     pemOfKey(servingKey),
		accountKeyFile:     pemOfKey(accountKey),
		tokensFile:         c.tokens(),
		controllerKubeFile: nil, // written once the address is known
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func makeAuthority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate("cluster")
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	return parsed, key, err
}

func makeServing(authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) ([]byte, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := certificate("kube-apiserver")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
	}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1)}
	raw, err := x509.CreateCertificate(rand.Reader, template, authority, key.Public(), authorityKey)
	return raw, key, err
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand does not fail
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(lifetime),
		BasicConstraintsValid: true,
	}
}

func makeToken() string {
	random := make([]byte, 24)
	_, _ = rand.Read(random) // crypto/rand does not fail
	return hex.EncodeToString(random)
}

// tokens is the API server's token file: token, user, uid, groups.
func (c *credentials) tokens() []byte {
	return fmt.Appendf(nil, "%s,admin,admin,system:masters\n%s,system:kube-controller-manager,controllers,\n",
		c.adminToken, c.controllerToken)
}

// kubeconfig holds all it needs, so that it can be copied elsewhere.
func (c *credentials) kubeconfig(server, token string) []byte {
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: cluster
  cluster:
    server: %s
    certificate-authority-data: %s
users:
- name: user
  user:
    token: %s
contexts:
- name: cluster
  context:
    cluster: cluster
    user: user
current-context: cluster
`, server, base64.StdEncoding.EncodeToString(c.authority), token)
}

func pemOf(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

func pemOfKey(key *ecdsa.PrivateKey) []byte {
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		panic(err) // a key that was just made on a named curve
	}
	return pemOf("EC PRIVATE KEY", raw)
}
