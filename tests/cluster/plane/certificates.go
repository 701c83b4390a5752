package plane

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const lifetime = 365 * 24 * time.Hour

var curve = elliptic.P256()

// authority signs the certificates of one cluster.
type authority struct {
	Authority   []byte // certificate, PEM
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func makeAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate("cluster")
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	return &authority{Authority: pemOf("CERTIFICATE", raw), certificate: parsed, key: key}, err
}

// Issue writes a certificate and its key to files of a folder.
func (a *authority) Issue(dir, file, keyFile string, template *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return err
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, file), pemOf("CERTIFICATE", raw), 0o600); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, keyFile), pemOfKey(key), 0o600)
}

// Server is the template of a certificate for a server with these addresses.
func Server(name string, addresses ...net.IP) *x509.Certificate {
	template := certificate(name)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{name}
	template.IPAddresses = addresses
	return template
}

func apiServer(address string) *x509.Certificate {
	host, _, _ := net.SplitHostPort(address)
	template := Server("kubernetes", net.ParseIP(host), net.IPv4(127, 0, 0, 1), net.IPv4(10, 96, 0, 1))
	template.DNSNames = append(template.DNSNames,
		"localhost", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	return template
}

// kubeletClient is what the API server shows to kubelets, which know no tokens of the API server's.
func kubeletClient() *x509.Certificate {
	template := certificate("kube-apiserver")
	template.Subject.Organization = []string{admin.Group}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return template
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
