// Package redistest starts real Redis servers for tests: on loopback only, on
// ports that were free a moment ago, without persistence, and never left behind.
//
// The program is $FRESHET_TEST_REDIS, else redis-server or valkey-server from
// PATH. Where there is none the test fails, because a test of Redis that is
// skipped looks like one that passed; "make test" installs it.
package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a server may take for anything. It is generous: a test
// that needs it has failed, and a busy machine is no reason to fail.
const patience = 60 * time.Second

// Server is one redis-server process. Its methods may be called concurrently,
// but not Start, Stop and Close with each other.
type Server struct {
	// Addr is "127.0.0.1:port"; it stays the same over restarts.
	Addr string
	// Port is the port of Addr.
	Port int
	// TLSPort is the port for TLS, 0 unless the arguments name a --tls-cert-file.
	TLSPort int
	// Dir is the server's working directory.
	Dir string

	program string
	args    []string
	fail    func(format string, args ...any)

	mu  sync.Mutex
	cmd *exec.Cmd
	// frozen is true between Freeze and Thaw, or Stop.
	frozen bool
	// exited is closed when the process is gone; output then says why.
	exited chan struct{}
	output *strings.Builder
}

// Start starts a server that lives until the end of the test. The arguments are
// redis-server's own ("--requirepass", "secret") and win over the defaults: no
// persistence, port and directory chosen here. It fails tb when the server
// cannot be started.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s, err := Launch(args...)
	if err != nil {
		tb.Fatal(err)
	}
	s.fail = tb.Fatalf
	tb.Cleanup(s.Close)
	return s
}

// Launch is [Start] for places without a testing.TB, such as examples. The
// caller closes the server; where it does not, Linux ends the server with the
// test.
func Launch(args ...string) (*Server, error) { return launch("", args) }

// launch is Launch with the text of a configuration file that the server may
// rewrite; none if it is empty. The file stays over restarts.
func launch(config string, args []string) (*Server, error) {
	program, err := find()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, program: program, fail: panicf}
	if config != "" {
		if err := os.WriteFile(s.Path(configFile), []byte(config), 0o600); err != nil {
			return nil, err
		}
		// The configuration file has to come first.
		args = append([]string{s.Path(configFile)}, args...)
	}
	// The port is only free until somebody else takes it, so a server that
	// cannot bind is tried again on another one.
	for range 10 {
		if err = s.place(args); err != nil {
			break
		}
		if err = s.run(); !errors.Is(err, errTaken) {
			break
		}
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// configFile is the name of the configuration file in a server's directory.
const configFile = "redis.conf"

func panicf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// find returns the server program.
func find() (string, error) {
	names := []string{"redis-server", "valkey-server"}
	if name := os.Getenv("FRESHET_TEST_REDIS"); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("redistest: no %s found: run \"make test\", which installs it, or install it "+
		"yourself (apt-get install redis-server, brew install redis), or set FRESHET_TEST_REDIS to the program",
		strings.Join(names, " or "))
}

// place chooses a port and builds the command line.
func (s *Server) place(args []string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	s.Port, s.Addr = ports[0], "127.0.0.1:"+strconv.Itoa(ports[0])
	s.args = nil
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		s.args, args = append(s.args, args[0]), args[1:]
	}
	s.args = append(s.args, "--bind", "127.0.0.1", "--port", strconv.Itoa(s.Port), "--dir", s.Dir)
	if !slices.Contains(args, "--sentinel") {
		// A master would wait five seconds for more replicas before it sends.
		s.args = append(s.args, "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0")
	}
	if slices.Contains(args, "--cluster-enabled") {
		// The default, port + 10000, may be above the last port.
		s.args = append(s.args, "--cluster-port", strconv.Itoa(ports[1]))
	}
	if slices.Contains(args, "--tls-cert-file") {
		s.TLSPort = ports[2]
		s.args = append(s.args, "--tls-port", strconv.Itoa(s.TLSPort))
	}
	s.args = append(s.args, args...)
	return nil
}

func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

var errTaken = errors.New("redistest: the port is taken")

// run starts the process and waits until it answers.
func (s *Server) run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	cmd, output, exited := exec.Command(s.program, s.args...), new(strings.Builder), make(chan struct{})
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that started it ends, so
		// that thread is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("redistest: %w", err)
	}
	s.cmd, s.exited, s.output, s.frozen = cmd, exited, output, false
	return s.ready()
}

// ready waits until the server answers, in whatever way. Another that has taken the
// port meanwhile answers as well, as long as it takes this one to notice.
func (s *Server) ready() error {
	id := fmt.Sprintf("process_id:%d\r\n", s.cmd.Process.Pid)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-s.exited:
			if strings.Contains(s.output.String(), "Address already in use") {
				return errTaken
			}
			return fmt.Errorf("redistest: %s %q ended:\n%s", s.program, s.args, s.output)
		case <-time.After(2 * time.Millisecond):
		}
		info, err := s.Do("INFO", "server")
		if errors.As(err, new(Error)) || err == nil && strings.Contains(fmt.Sprint(info), id) {
			return nil
		}
	}
	return fmt.Errorf("redistest: %s does not answer", s.Addr)
}

// Start starts a stopped server again, on the same port and directory. Memory
// is lost unless the arguments asked for persistence.
func (s *Server) Start() {
	if err := s.run(); err != nil {
		s.fail("%v", err)
	}
}

// Stop kills the process, frozen or not, and waits until it is gone. It does
// nothing on a stopped server.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.exited
	s.cmd = nil
}

// answers reports whether the server is neither stopped nor frozen.
func (s *Server) answers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd != nil && !s.frozen
}

// Close stops the server and removes its directory. Start calls it at the end
// of the test.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.Dir)
}

// Path returns the path of a file in the server's directory.
func (s *Server) Path(name string) string { return filepath.Join(s.Dir, name) }
