package spscshm

// op is a call, as errors name it.
type op uint8

// Even numbers are the producer's, odd ones the consumer's, up to opCount.
const (
	opClaim op = iota
	opPeek
	opWaitForSpace
	opWaitForData
	opPublish
	opRelease
	opWrite
	opRead
	opReadFrom
	opWriteTo
	opSend
	opReceive
	opCount

	opCreate op = iota - 1
	opOpen
	opUnlink
	opClose
	opFile
	opStats
	opDump
	opWakeupAll
	opWaitAny
	opListen
	opAccept
	opDial
	opAdopt
)

var opNames = [...]string{
	opClaim:        "claim",
	opPeek:         "peek",
	opWaitForSpace: "wait for space",
	opWaitForData:  "wait for data",
	opPublish:      "publish",
	opRelease:      "release",
	opWrite:        "write",
	opRead:         "read",
	opReadFrom:     "read from",
	opWriteTo:      "write to",
	opSend:         "send",
	opReceive:      "receive",
	opCreate:       "create",
	opOpen:         "open",
	opUnlink:       "unlink",
	opClose:        "close",
	opFile:         "file",
	opStats:        "stats",
	opDump:         "debug dump",
	opWakeupAll:    "wake up all",
	opWaitAny:      "wait for any",
	opListen:       "listen",
	opAccept:       "accept",
	opDial:         "dial",
	opAdopt:        "adopt",
}

// side is whose call it is, below opCount.
func (o op) side() side {
	if o%2 == 0 {
		return producing
	}
	return consuming
}

func (o op) String() string { return opNames[o] }
