package gallery

// Pause holds Embed up: while the gallery is paused no photo is begun to be
// decoded and no batch to be embedded, and nothing runs. What is in hand is
// finished, and photos that the catalog knows still become Ready. Pause(false)
// lets it go on where it was. It may be called before Embed, and outlasts it.
func (g *Gallery) Pause(paused bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused != paused {
		g.paused = paused
		g.changed()
	}
}
