// Package measure has what comparisons of servers need: processes that play the
// parts of server and client, samples of what they use, and medians of ratios.
package measure

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// RoleLoad is the first argument of a child that sends requests, see [Load].
const RoleLoad = "load"

// Child is a process that runs this same program in another part. It says one
// line when it is ready, answers every line with a line, and ends when its
// standard input does, which happens even when its parent is killed.
type Child struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Reader
}

// Start starts a child and returns its first line.
func Start(role string, args ...string) (*Child, string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	cmd := exec.Command(program, append([]string{role}, args...)...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, "", err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := cmd.Start(); err != nil {
		return nil, "", err
	}
	c := &Child{cmd: cmd, stdin: stdin, lines: bufio.NewReader(stdout)}
	ready, err := c.line()
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("%s %v: %w", role, args, err), c.Stop())
	}
	return c, ready, nil
}

// Ask sends a line and scans the answer's fields into dst.
func (c *Child) Ask(question string, dst ...any) error {
	if _, err := io.WriteString(c.stdin, question+"\n"); err != nil {
		return err
	}
	answer, err := c.line()
	if err != nil {
		return err
	}
	if _, err := fmt.Sscan(answer, dst...); err != nil {
		return fmt.Errorf("%q answered %q: %w", question, answer, err)
	}
	return nil
}

func (c *Child) line() (string, error) {
	line, err := c.lines.ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the process has ended: %w", err)
	}
	return line[:len(line)-1], nil
}

// Stop ends the process and waits until it is gone.
func (c *Child) Stop() error {
	return errors.Join(c.stdin.Close(), c.cmd.Wait())
}

// Answer is a child's side: it says ready, then answers every line of in.
func Answer(in io.Reader, out io.Writer, ready string, reply func(question string) (string, error)) error {
	if _, err := fmt.Fprintln(out, ready); err != nil {
		return err
	}
	questions := bufio.NewScanner(in)
	for questions.Scan() {
		line, err := reply(questions.Text())
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, line); err != nil {
			return err
		}
	}
	return questions.Err()
}

// Command returns the process itself.
func (c *Child) Command() *exec.Cmd { return c.cmd }
