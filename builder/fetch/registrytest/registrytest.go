// Package registrytest runs Docker's registry for tests, on loopback, and makes it fail as registries do.
package registrytest

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

// The one user of a registry with Auth.
const (
	User     = "builder"
	Password = "hunter2"
	// htpasswd is both as the registry wants them: bcrypt.
	htpasswd = User + ":$2b$04$zg6.AsqWm8AWS52/wWsHjuMPOl9I/aTD4Ajf6ufK1gB1O6Olzmb6a\n"
)

// Options are for Start; the zero value is plain http without users.
type Options struct {
	Cert, Key []byte // PEM; TLS where they are given
	Auth      bool   // ask for User and Password
	Upstream  string // URL of a registry of which this one is a pull-through cache, with User and Password
	Roots     []byte // PEM certificates to trust of Upstream
}

// Registry is a running one. It ends with its test.
type Registry struct {
	Host string // and port
	URL  string
	data string // folder
	cmd  *exec.Cmd
	once sync.Once
}

// Start runs a registry, and returns when it listens.
func Start(t testing.TB, o Options) *Registry {
	t.Helper()
	program := oracle.Need(t, "docker-registry")
	dir := t.TempDir()
	write := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := &Registry{Host: freePort(t), data: filepath.Join(dir, "data")}
	r.URL = "http://" + r.Host
	type object = map[string]any
	server := object{"addr": r.Host}
	if len(o.Cert) > 0 {
		r.URL = "https://" + r.Host
		server["tls"] = object{"certificate": write("cert.pem", o.Cert), "key": write("key.pem", o.Key)}
	}
	config := object{
		"version": "0.1", "log": object{"level": "error", "accesslog": object{"disabled": true}},
		"storage": object{"filesystem": object{"rootdirectory": r.data}}, "http": server,
	}
	if o.Auth {
		config["auth"] = object{"htpasswd": object{"realm": "test", "path": write("htpasswd", []byte(htpasswd))}}
	}
	if o.Upstream != "" {
		config["proxy"] = object{"remoteurl": o.Upstream, "username": User, "password": Password}
	}
	text, err := json.Marshal(config) // which is YAML
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command(program, "serve", write("config.yml", text))
	r.cmd.Env = append(os.Environ(), "OTEL_TRACES_EXPORTER=none")
	if len(o.Roots) > 0 {
		r.cmd.Env = append(r.cmd.Env, "SSL_CERT_FILE="+write("roots.pem", o.Roots))
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	r.cmd.Stdout, r.cmd.Stderr = log, log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Kill()
		log.Close()
		if said, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("docker-registry at %s says\n%.4000s", r.Host, said)
		}
	})
	r.wait(t, log.Name())
	return r
}

// freePort is an address that nobody listens at. Another process may take it before the registry does; then the test fails.
func freePort(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *Registry) wait(t testing.TB, log string) {
	t.Helper()
	for range 500 {
		if c, err := net.Dial("tcp", r.Host); err == nil {
			c.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	said, _ := os.ReadFile(log)
	t.Fatalf("docker-registry does not listen at %s:\n%s", r.Host, said)
}

// WaitFor waits until a repository has the layers: a pull-through cache keeps them some time after it served them.
func (r *Registry) WaitFor(t testing.TB, repository string, layers ...blob.Digest) {
	t.Helper()
	for _, d := range layers {
		link := filepath.Join(r.data, "docker/registry/v2/repositories", repository, "_layers/sha256", d.Hex(), "link")
		for n := 0; ; n++ {
			if _, err := os.Stat(link); err == nil {
				break
			}
			if n == 1000 {
				t.Fatalf("the registry at %s does not keep %s", r.Host, d)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// Kill ends the registry as a power cut would.
func (r *Registry) Kill() {
	r.once.Do(func() {
		r.cmd.Process.Kill()
		r.cmd.Wait()
	})
}

// Fragile is a TCP proxy before a registry of plain http. After most bytes of answers it kills the registry and breaks all
// connections. It returns the proxy's address.
func (r *Registry) Fragile(t testing.TB, most int64) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &fragile{r: r, listener: l, left: most}
	t.Cleanup(p.end)
	go p.serve()
	return l.Addr().String()
}

type fragile struct {
	r        *Registry
	listener net.Listener

	mu    sync.Mutex
	left  int64 // bytes
	conns []net.Conn
	ended bool
}

func (p *fragile) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.r.Host)
		if err != nil || !p.keep(client, server) {
			client.Close()
			continue
		}
		go io.Copy(server, client)
		go p.answer(client, server)
	}
}

func (p *fragile) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, conns...)
	return !p.ended
}

func (p *fragile) answer(client, server net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := server.Read(buf)
		p.mu.Lock()
		p.left -= int64(n)
		spent := p.left < 0
		p.mu.Unlock()
		if spent {
			p.r.Kill()
			p.end()
			return
		}
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			client.Close()
			return
		}
	}
}

func (p *fragile) end() {
	p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	for _, c := range p.conns {
		c.Close()
	}
}
