// Runs steps of `true` with containerd's own Go client, in the usual way of its guide. It reads lines: how many
// steps to run, how many at once, and of what kind. `step`: each in a container of its own. `filtered`: with
// containerd's default seccomp filter, which its clients do not set by themselves. `exec`: all in one container.
// It answers each line with JSON: the milliseconds of each step.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/containerd/containerd"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/contrib/seccomp"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/oci"
)

func main() {
	if len(os.Args) != 5 {
		fatal(fmt.Errorf("usage: step SOCKET NAMESPACE IMAGE FIFO-DIRECTORY"))
	}
	client, err := containerd.New(os.Args[1])
	fatal(err)
	ctx := namespaces.WithNamespace(context.Background(), os.Args[2])
	var count int64
	var shared containerd.Task
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var total, width int
		var kind string
		_, err := fmt.Sscan(lines.Text(), &total, &width, &kind)
		fatal(err)
		if kind == "exec" && shared == nil {
			shared, err = hold(ctx, client, fmt.Sprintf("go-%d-shared", os.Getpid()))
			fatal(err)
		}
		times := make([]float64, total)
		next := int64(-1)
		var group sync.WaitGroup
		for worker := 0; worker < width; worker++ {
			group.Add(1)
			go func() {
				defer group.Done()
				for at := atomic.AddInt64(&next, 1); at < int64(total); at = atomic.AddInt64(&next, 1) {
					start := time.Now()
					id := fmt.Sprintf("go-%d-%d", os.Getpid(), atomic.AddInt64(&count, 1))
					if kind == "exec" {
						fatal(added(ctx, shared, id))
					} else {
						fatal(step(ctx, client, id, kind == "filtered"))
					}
					times[at] = float64(time.Since(start).Microseconds()) / 1000
				}
			}()
		}
		group.Wait()
		answer, err := json.Marshal(times)
		fatal(err)
		fmt.Println(string(answer))
	}
	if shared != nil {
		fatal(release(ctx, client, shared))
	}
}

// hold starts a container that stays.
func hold(ctx context.Context, client *containerd.Client, id string) (containerd.Task, error) {
	image, err := client.GetImage(ctx, os.Args[3])
	if err != nil {
		return nil, err
	}
	container, err := client.NewContainer(ctx, id, containerd.WithNewSnapshot(id, image),
		containerd.WithNewSpec(oci.WithImageConfig(image), oci.WithProcessArgs("/bin/sleep", "86400")))
	if err != nil {
		return nil, err
	}
	task, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		return nil, err
	}
	return task, task.Start(ctx)
}

func release(ctx context.Context, client *containerd.Client, task containerd.Task) error {
	if _, err := task.Delete(ctx, containerd.WithProcessKill); err != nil {
		return err
	}
	container, err := client.LoadContainer(ctx, task.ID())
	if err != nil {
		return err
	}
	return container.Delete(ctx, containerd.WithSnapshotCleanup)
}

// added runs `true` as a further process of a container.
func added(ctx context.Context, task containerd.Task, id string) error {
	spec, err := task.Spec(ctx)
	if err != nil {
		return err
	}
	process := *spec.Process
	process.Args = []string{"/bin/true"}
	var stdout, stderr bytes.Buffer
	streams := cio.NewCreator(cio.WithStreams(nil, &stdout, &stderr), cio.WithFIFODir(os.Args[4]))
	exec, err := task.Exec(ctx, id, &process, streams)
	if err != nil {
		return err
	}
	defer exec.Delete(ctx)
	return finish(ctx, exec)
}

func finish(ctx context.Context, process containerd.Process) error {
	exited, err := process.Wait(ctx)
	if err != nil {
		return err
	}
	if err := process.Start(ctx); err != nil {
		return err
	}
	status := <-exited
	if status.ExitCode() != 0 || status.Error() != nil {
		return fmt.Errorf("%s: exit code %d, %v", process.ID(), status.ExitCode(), status.Error())
	}
	return nil
}

func step(ctx context.Context, client *containerd.Client, id string, filtered bool) error {
	image, err := client.GetImage(ctx, os.Args[3])
	if err != nil {
		return err
	}
	spec := []oci.SpecOpts{oci.WithImageConfig(image), oci.WithProcessArgs("/bin/true")}
	if filtered {
		spec = append(spec, seccomp.WithDefaultProfile())
	}
	container, err := client.NewContainer(ctx, id,
		containerd.WithNewSnapshot(id, image), containerd.WithNewSpec(spec...))
	if err != nil {
		return err
	}
	defer container.Delete(ctx, containerd.WithSnapshotCleanup)
	var stdout, stderr bytes.Buffer
	streams := cio.NewCreator(cio.WithStreams(nil, &stdout, &stderr), cio.WithFIFODir(os.Args[4]))
	task, err := container.NewTask(ctx, streams)
	if err != nil {
		return err
	}
	defer task.Delete(ctx)
	return finish(ctx, task)
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
