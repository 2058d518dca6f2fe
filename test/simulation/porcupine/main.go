// Judges histories of one register each: JSON on the standard input, a JSON array of verdicts on the standard output.
package main

import (
	"encoding/json"
	"log"
	"math"
	"os"

	"github.com/anishathalye/porcupine"
)

type operation struct {
	Kind  string  `json:"kind"`
	Value *string `json:"value"`
	// In nanoseconds of the simulation.
	CalledAt int64 `json:"calledAt"`
	// Absent: the outcome is unknown.
	ReturnedAt *int64 `json:"returnedAt"`
}

// The value of a register that was never written.
const nothing = ""

func valueOf(value *string) string {
	if value == nil {
		return nothing
	}
	return "=" + *value
}

var register = porcupine.Model{
	Init: func() interface{} { return nothing },
	Step: func(state, input, output interface{}) (bool, interface{}) {
		op := input.(operation)
		if op.Kind == "write" {
			return true, valueOf(op.Value)
		}
		return state.(string) == valueOf(op.Value), state
	},
}

func judge(history []operation) bool {
	var operations []porcupine.Operation
	for client, op := range history {
		end := int64(math.MaxInt64)
		if op.ReturnedAt != nil {
			end = *op.ReturnedAt
		} else if op.Kind == "read" {
			// A read that never returned constrains nothing.
			continue
		}
		operations = append(operations, porcupine.Operation{
			ClientId: client, Input: op, Call: op.CalledAt, Return: end,
		})
	}
	return porcupine.CheckOperations(register, operations)
}

func main() {
	var histories [][]operation
	if err := json.NewDecoder(os.Stdin).Decode(&histories); err != nil {
		log.Fatalf("the histories cannot be read: %v", err)
	}
	verdicts := make([]bool, len(histories))
	for at, history := range histories {
		verdicts[at] = judge(history)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		log.Fatalf("the verdicts cannot be written: %v", err)
	}
}
