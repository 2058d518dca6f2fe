// One member of a cluster of hashicorp/memberlist with its defaults for a local network:
// member NAME PORT [SEED]. Writes "alive NAME" and "dead NAME" for what it learns of others, and ends with its
// standard input.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

type events struct{}

func (events) NotifyJoin(node *memberlist.Node)  { fmt.Println("alive", node.Name) }
func (events) NotifyLeave(node *memberlist.Node) { fmt.Println("dead", node.Name) }
func (events) NotifyUpdate(*memberlist.Node)     {}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	config := memberlist.DefaultLANConfig()
	config.Name = os.Args[1]
	config.BindAddr = "127.0.0.1"
	config.BindPort = port
	config.AdvertiseAddr = "127.0.0.1"
	config.AdvertisePort = port
	config.LogOutput = io.Discard
	config.Events = events{}
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	if seeds := os.Args[3:]; len(seeds) > 0 {
		// The seed may not listen yet.
		for tries := 0; tries < 300; tries++ {
			if _, err = list.Join(seeds); err == nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
