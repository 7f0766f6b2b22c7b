//go:build !race

package spscshm

func raceAcquire() {}

func raceRelease() {}
