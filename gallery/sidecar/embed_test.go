package sidecar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigla/internal/require"
)

// A variant is a JPEG, and why it is refused, if it is.
type variant struct{ file, refused string }

// plainJPEG is a picture without any metadata, as image/jpeg writes it.
func plainJPEG(t testing.TB) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 40, 24))
	for i := range 40 * 24 {
		m.Set(i%40, i/40, color.RGBA{uint8(6 * i), uint8(i), uint8(i * i), 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const jfif = "JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"

// headed returns a JPEG with segments in front.
func headed(file string, segments ...string) string {
	return file[:2] + strings.Join(segments, "") + file[2:]
}

// padded is a packet with so many bytes of room.
func paddedPacket(word string, room int) string {
	return "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n" + sidecarOf(word) +
		strings.Repeat("\n"+strings.Repeat(" ", 49), room/50) + "\n<?xpacket end=\"w\"?>"
}

// photoshopWith is a segment with IPTC and its digest, if one is given.
func photoshopWith(iptc, digest string) string {
	s := markPhotoshop + resource(0x03ed, "", "res") + resource(0x0404, "", iptc)
	if digest != "" {
		s += resource(0x0425, "", digest)
	}
	return segment(0xed, s+resource(0x0406, "copyright", "12"))
}

// mpfOf is a list of further pictures: their places are counted from its header.
func mpfOf(order binary.AppendByteOrder, pictures ...[2]int) string {
	entries := ""
	for i, p := range pictures {
		b := order.AppendUint32(nil, uint32(0x030000-i*0x10000))
		b = order.AppendUint32(b, uint32(p[0]))
		b = order.AppendUint32(b, uint32(p[1]))
		entries += string(append(b, 0, 0, 0, 0))
	}
	return markMPF + tiffWith(order, entry{0xb000, 7, "0100"}, entry{0xb001, 4, string(order.AppendUint32(nil, uint32(len(pictures))))}, entry{0xb002, 7, entries})
}

// withFurther returns a JPEG with a list of a further picture behind it.
func withFurther(order binary.AppendByteOrder, file string, segments ...string) string {
	further := headed(file, segment(0xe0, jfif))
	size := len(segment(0xe2, mpfOf(order, [2]int{}, [2]int{})))
	base := 2 + len(strings.Join(segments, "")) + 4 + len(markMPF)
	whole := headed(file, append(segments, strings.Repeat("x", size))...)
	list := segment(0xe2, mpfOf(order, [2]int{len(whole), 0}, [2]int{len(further), len(whole) - base}))
	return headed(file, append(segments, list)...) + further
}

// variants are JPEGs of every kind.
func variants(t testing.TB) map[string]variant {
	t.Helper()
	p := plainJPEG(t)
	all := withXMP(p)
	maps.Copy(all, withIPTC(p))
	maps.Copy(all, withMore(p))
	for _, name := range []string{"progressive", "cmyk", "rgb"} {
		b, err := os.ReadFile("../photo/testdata/" + name + ".jpg")
		if err != nil {
			t.Fatal(err)
		}
		all[name] = variant{string(b), ""}
	}
	return all
}

// exifOf is a segment of EXIF.
func exifOf(order binary.AppendByteOrder, e entry) string {
	return segment(0xe1, "Exif\x00\x00"+tiffWith(order, e))
}

var (
	app0 = segment(0xe0, jfif)
	exif = exifOf(binary.BigEndian, entry{0x010f, 2, "Maker\x00"})
)

func withXMP(p string) map[string]variant {
	packet := func(s string) string { return segment(0xe1, markXMP+s) }
	long := strings.ReplaceAll(sidecarOf("long"), `dc:subject="long"`, `dc:description="`+strings.Repeat("long ", 30_000)+`"`)
	longWords := sidecarOf(strings.Repeat("owl ", 20_000) + "x")
	counted := func(n int) string { // XMP that says how long the picture is
		return headed(p, packet(strings.Replace(sidecarOf("forest"), "<rdf:Desc", fmt.Sprintf(`<?n Item:Length="%04d"?><rdf:Desc`, n), 1)))
	}
	return map[string]variant{
		"plain":             {p, ""},
		"jfif":              {headed(p, app0), ""},
		"exif":              {headed(p, exif), ""},
		"jfif exif":         {headed(p, app0, exif), ""},
		"xmp":               {headed(p, exif, packet(sidecarOf("forest"))), ""},
		"xmp before exif":   {headed(p, packet(sidecarOf("forest")), exif), ""},
		"xmp padded":        {headed(p, app0, exif, packet(paddedPacket("forest", 3000))), ""},
		"xmp padded little": {headed(p, app0, packet(paddedPacket("forest", 200))), ""},
		"xmp full":          {headed(p, packet(paddedPacket("forest", 65_050))), ""},
		"xmp two":           {headed(p, packet(sidecarOf("forest")), packet(sidecarOf("wood"))), "2 XMP packets"},
		"xmp broken":        {headed(p, packet("<x:xmpmeta")), "has no end"},
		"xmp too long":      {headed(p, packet(strings.Replace(sidecarOf("forest"), "<rdf:RDF", "<!--"+strings.Repeat("-x", 32_500)+"--><rdf:RDF", 1))), "a segment of a JPEG holds 65533"},
		"extended":          {headed(p, append([]string{packet(withExtension(name32))}, extended(name32, long, 60_000)...)...), ""},
		"extended words":    {headed(p, append([]string{packet(withExtension(name32))}, extended(name32, longWords, 60_000)...)...), "keywords in extended XMP"},
		"extended part":     {headed(p, packet(withExtension(name32)), extended(name32, longWords, 60_000)[0]), "bytes are there"},
		"motion photo":      {headed(p, packet(sidecarOf("forest"))) + "\x00\x00\x00\x18ftypmp42" + strings.Repeat("video", 40), ""},
		"gain map length":   {counted(len(counted(0))), "its XMP says how many bytes"},
	}
}

func withIPTC(p string) map[string]variant {
	iptc := dataSet(2, 0, "\x00\x04") + dataSet(2, 25, "forest") + dataSet(2, 25, "nuit d'\xe9t\xe9") + dataSet(2, 120, "a caption")
	utf8IPTC := dataSet(1, 90, utf8Mark) + dataSet(2, 25, "Käuzchen")
	split := markPhotoshop + resource(0x0404, "", iptc)
	packet := segment(0xe1, markXMP+sidecarOf("forest"))
	return map[string]variant{
		"iptc":              {headed(p, photoshopWith(iptc, "")), ""},
		"iptc digest":       {headed(p, exif, photoshopWith(iptc, digestOf(iptc)), packet), ""},
		"iptc stale digest": {headed(p, photoshopWith(iptc, digestOf("other")), packet), ""},
		"iptc utf-8":        {headed(p, photoshopWith(utf8IPTC, digestOf(utf8IPTC))), ""},
		"iptc no keywords":  {headed(p, photoshopWith(dataSet(2, 120, "a caption"), "")), ""},
		"iptc split":        {headed(p, segment(0xed, split[:70]), segment(0xed, markPhotoshop+split[70:])), ""},
		"iptc broken":       {headed(p, photoshopWith(iptc+"junk!", "")), "no data set where one is expected"},
		"iptc two":          {headed(p, photoshopWith(iptc, ""), photoshopWith(iptc, "")), "2 IPTC blocks"},
	}
}

func withMore(p string) map[string]variant {
	point := func(order binary.AppendByteOrder) string { // EXIF that knows where what follows begins
		note := func(n int) string {
			return exifOf(order, entry{0x927c, 7, "maker's " + string(order.AppendUint32(nil, uint32(n)))})
		}
		return headed(p, note(len(headed(p, note(0)))-12))
	}
	return map[string]variant{
		"xpkeywords":        {headed(p, exifOf(binary.LittleEndian, entry{tagXPKeywords, 1, utf16LEOf("owl;night\x00")})), ""},
		"trailing known":    {point(binary.LittleEndian) + "\xff\xd8\xffpreview", "its EXIF counts on where"},
		"trailing known be": {point(binary.BigEndian) + "\x00\x00\x00preview", "its EXIF counts on where"},
		"adobe":             {headed(p, segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01")), ""},
		"fill bytes":        {headed(p, "\xff\xff"+app0), ""},
		"trailing":          {p + "a program's own data", ""},
		"mpf":               {withFurther(binary.LittleEndian, p, exif), ""},
		"mpf big-endian":    {withFurther(binary.BigEndian, p), ""},
		"mpf before exif":   {withFurther(binary.BigEndian, p) + "\x00\x00trailer", ""},
		"mpf damaged":       {headed(p, segment(0xe2, mpfOf(binary.LittleEndian, [2]int{9, 0})[:30])), "(MPF) is damaged"},
		"mpf cut":           {strings.TrimSuffix(withFurther(binary.LittleEndian, p), "\xff\xd9"), "behind the end of the file"},
		"c2pa":              {headed(p, segment(0xeb, "JP\x00\x01\x00\x00\x00\x01jumb c2pa")), "content credentials"},
		"cut in head":       {headed(p, exif)[:60], "cut off"},
		"cut in picture":    {p[:len(p)-40], "cut off"},
		"no picture":        {"\xff\xd8\xff\xd9" + strings.Repeat("\x00", 9), "no segment"},
		"no JPEG":           {"GIF89a", "not a JPEG"},
		"no length":         {"\xff\xd8\xff\xe0\x00\x01\xff\xd9", "no length"},
	}
}

// embedded applies changes to a photo one after the other.
func embedded(t *testing.T, file string, changes ...Change) string {
	t.Helper()
	for _, c := range changes {
		out, err := Embed([]byte(file), c)
		if err != nil {
			t.Fatal(err)
		}
		file = string(out)
	}
	return file
}

// TestEmbed: JPEGs of every kind take tags and give them back to the byte, in
// whatever order; or are refused by name and stay as they are.
func TestEmbed(t *testing.T) {
	for name, v := range variants(t) {
		t.Run(name, func(t *testing.T) {
			out, err := Embed([]byte(v.file), accept(auto("nature|strand"), user("Ä & <ö>")))
			if v.refused != "" {
				if err == nil || !strings.Contains(err.Error(), v.refused) || out != nil {
					t.Fatalf("%v, want an error with %q", err, v.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkEmbedded(t, v.file, string(out), "nature|strand", "Ä & <ö>")
			more := embedded(t, string(out), accept(user("third"), user(strings.Repeat("long ", 20)+"word")))
			for _, back := range [][]Change{
				{withdraw("third", strings.Repeat("long ", 20)+"word"), withdraw("nature|strand", "Ä & <ö>")},
				{withdraw("nature|strand"), withdraw(strings.Repeat("long ", 20)+"word", "Ä & <ö>"), withdraw("third")},
			} {
				if embedded(t, more, back...) != v.file {
					t.Error("not the same file when all is taken back")
				}
			}
			if again := embedded(t, string(out), accept(auto("nature|strand"))); again != string(out) {
				t.Error("a tag that is there changes something")
			}
		})
	}
}

// checkEmbedded checks a photo that got tags: it has them and those it had in
// all fields, and but for XMP, IPTC and the list of further pictures it is as it
// was.
func checkEmbedded(t *testing.T, before, after string, labels ...string) {
	t.Helper()
	was, err := valuesIn(before)
	if err != nil {
		t.Fatal(err)
	}
	is, err := valuesIn(after)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, tag := range Merge(File{"", was}).Tags {
		want = append(want, tag.String())
	}
	want = append(want, labels...)
	slices.Sort(want)
	var got []string
	for _, tag := range Merge(File{"", is}).Tags {
		got = append(got, tag.String())
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, label := range want {
		for _, f := range written {
			if !slices.ContainsFunc(texts(is, f), func(s string) bool { return Fold(s) == Fold(f.spell(split(label, "|"))) }) {
				t.Errorf("%s has no %q", f, label)
			}
		}
	}
	if a, b := skeleton(t, before), skeleton(t, after); !slices.Equal(a, b) {
		t.Errorf("other bytes changed: %d parts, %d parts", len(a), len(b))
	}
	a, errA := jpeg.Decode(strings.NewReader(before))
	b, errB := jpeg.Decode(strings.NewReader(after))
	if (errA == nil) != (errB == nil) || errA == nil && !reflect.DeepEqual(a, b) {
		t.Errorf("the picture changed: %v, %v", errA, errB)
	}
	further(t, before, after)
}

// skeleton is what must not change of a JPEG, found without the code that is
// tested.
func skeleton(t *testing.T, file string) (parts []string) {
	t.Helper()
	at, iptc := 2, false
	for file[at+1] != 0xda {
		if file[at+1] == 0xff {
			at++
			continue
		}
		n := 2 + int(file[at+2])<<8 + int(file[at+3])
		s := file[at : at+n]
		at += n
		data := s[4:]
		switch {
		case strings.HasPrefix(data, markXMP):
		case s[1] == 0xe2 && strings.HasPrefix(data, markMPF):
			parts = append(parts, s[:len(s)-32])
		case s[1] == 0xed:
			i := strings.Index(data, "8BIM\x04\x04")
			if i >= 0 && !iptc {
				parts, iptc = append(parts, data[:i]), true
			} else if !iptc {
				parts = append(parts, s)
			}
		default:
			parts = append(parts, s)
		}
	}
	return append(parts, file[at:])
}

// further checks that the list of further pictures leads to the same pictures.
func further(t *testing.T, before, after string) {
	t.Helper()
	if got, want := listed(after), listed(before); len(got) != len(want) {
		t.Errorf("%d further pictures, want %d", len(got), len(want))
	} else {
		for i := range got {
			if i > 0 && got[i] != want[i] || !strings.HasPrefix(got[i], "\xff\xd8") || strings.HasSuffix(got[i], "\xff\xd9") != strings.HasSuffix(want[i], "\xff\xd9") {
				t.Errorf("picture %d of the list is another", i)
			}
		}
	}
}

// listed are what a list of further pictures leads to.
func listed(file string) (list []string) {
	base := strings.Index(file, markMPF) + len(markMPF)
	if base < len(markMPF) {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if file[base] == 'M' {
		order = binary.BigEndian
	}
	number := func(at int) int { return int(order.Uint32([]byte(file[at : at+4]))) }
	field := base + number(base+4) + 2
	for order.Uint16([]byte(file[field:field+2])) != 0xb002 {
		field += 12
	}
	first := base + number(field+8)
	for at := first; at < first+number(field+4); at += 16 {
		n, from := number(at+4), number(at+8)
		if from > 0 {
			from += base
		}
		list = append(list, file[from:from+n])
	}
	return list
}

// TestEmbedIPTC: keywords are added if there are any, in the encoding that is
// there; the digest stays that of the data, or none of it.
func TestEmbedIPTC(t *testing.T) {
	all := variants(t)
	for name, want := range map[string]string{
		"iptc":              "forest; nuit d'été; strand; été",
		"iptc digest":       "forest; nuit d'été; strand; été",
		"iptc stale digest": "forest; nuit d'été; strand; été",
		"iptc split":        "forest; nuit d'été; strand; été",
		"iptc utf-8":        "Käuzchen; strand; été; 夜",
		"iptc no keywords":  "",
		"xpkeywords":        "",
	} {
		out := embedded(t, all[name].file, accept(user("nature|strand"), user("été"), user("夜"), user(strings.Repeat("w", 65))))
		values, err := valuesIn(out)
		if got := strings.Join(texts(values, Keywords), "; "); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
		e, err := openEnvelope(out)
		was, _ := openEnvelope(all[name].file)
		if err != nil || e.iptc.fits != was.iptc.fits || name == "iptc digest" && !e.iptc.fits {
			t.Errorf("%s: %v, %v", name, err, e.iptc.fits)
		}
	}
	// A rejected one goes, and only from where it can.
	out := embedded(t, all["iptc digest"].file, Change{Reject: []string{"forest"}})
	values, err := valuesIn(out)
	if got := joined(values); err != nil || got != "IPTC:Keywords nuit d'été" {
		t.Errorf("%q, %v", got, err)
	}
	if out := embedded(t, all["xpkeywords"].file, Change{Reject: []string{"owl"}}); out != all["xpkeywords"].file {
		t.Error("EXIF was changed")
	}
}

// TestEmbedRoom: what fits the padding of a packet moves no byte.
func TestEmbedRoom(t *testing.T) {
	file := variants(t)["xmp padded"].file
	out := embedded(t, file, accept(user("strand")))
	first := embedded(t, variants(t)["jfif exif"].file, accept(user("strand")))
	second := embedded(t, first, accept(user("owl"), user("nature|wood")))
	if len(out) != len(file) || len(second) != len(first) || out == file || second == first {
		t.Errorf("%d bytes became %d, %d became %d", len(file), len(out), len(first), len(second))
	}
}

// TestEmbeddable: what is before the picture tells of most that is refused.
func TestEmbeddable(t *testing.T) {
	behind := []string{"trailing known", "trailing known be", "gain map length", "mpf damaged", "mpf cut", "cut in picture", "xmp too long", "no picture"}
	path := filepath.Join(t.TempDir(), "a.jpg")
	for name, v := range variants(t) {
		write(t, path, v.file)
		err := Embeddable(path)
		if v.refused == "" && err != nil || v.refused != "" && err == nil && !slices.Contains(behind, name) {
			t.Errorf("%s: %v, want %q", name, err, v.refused)
		}
	}
	if Embeddable(filepath.Join(t.TempDir(), "none.jpg")) == nil {
		t.Error("a file that is not there")
	}
	big := headed(plainJPEG(t), slices.Repeat([]string{segment(0xe2, strings.Repeat("icc", 20_000))}, 9)...)
	write(t, path, big)
	if err := Embeddable(path); err != nil {
		t.Errorf("a head of %d bytes: %v", len(big), err)
	}
}

// FuzzEmbed: any file is refused, or takes a tag, gives it back to the byte and
// keeps what is behind its head.
func FuzzEmbed(f *testing.F) {
	for _, v := range variants(f) {
		if len(v.file) < 1<<13 {
			f.Add(v.file, "nature|owl")
		}
	}
	f.Fuzz(func(t *testing.T, file, label string) {
		if len(file) > 1<<14 || strings.Contains(file, "urn:sigla") {
			return
		}
		out, err := Embed([]byte(file), accept(Mark{Label: label, Source: User}))
		if err != nil {
			return
		}
		back, err := Embed(out, withdraw(label))
		if err != nil || string(back) != file {
			t.Fatalf("%q became %q, %v", file, back, err)
		}
		if string(out) != file && !slices.Equal(skeleton(t, file)[1:], skeleton(t, string(out))[1:]) {
			t.Errorf("other bytes changed in %q", file)
		}
	})
}

// TestEmbedSamples: real photos of many makers.
func TestEmbedSamples(t *testing.T) {
	dir := require.Unpack(t, "metadata", "exif-samples.tar")
	refused := make(map[string]string)
	n := 0
	for path := range maps.Keys(filesOf(t, dir)) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("\xff\xd8\xff")) {
			continue
		}
		n++
		out, err := Embed(b, accept(auto("nature|strand"), user("owl")))
		if err != nil {
			refused[filepath.Base(path)] = err.Error()
			continue
		}
		checkEmbedded(t, string(b), string(out), "nature|strand", "owl")
		if back := embedded(t, string(out), withdraw("nature|strand", "owl")); back != string(b) {
			t.Errorf("%s: not the same when all is taken back", path)
		}
	}
	t.Logf("%d photos, refused: %q", n, refused)
	if n < 60 || len(refused) > 3 {
		t.Errorf("%d photos, refused: %q", n, refused)
	}
}

// filesOf returns the regular files below a folder.
func filesOf(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files := make(map[string]bool)
	list, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			maps.Copy(files, filesOf(t, path))
		} else if err == nil {
			files[path] = true
		}
	}
	return files
}
