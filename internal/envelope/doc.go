// Package envelope is the stored form of an answer: versioned, checksummed, and
// decoded without copying its header or body.
//
// The bytes, all integers big-endian, uvarint as in encoding/binary:
//
//	offset  size  what
//	0       3     magic, F7 'f' 'r': not UTF-8, so no text is taken for ours
//	3       1     format, 2
//	4       4     checksum, CRC-32C of everything from offset 16 on
//	8       8     group, not under the checksum: 0, or patched in by the store
//	16      8     incarnation of the stamp
//	24      8     version of the stamp
//	32      32    identity
//	64      8     loaded, microseconds of Unix time
//	72      8     TTL, microseconds
//	80      8     freshness lifetime, microseconds
//	88      8     age when it was loaded, microseconds
//	96      8     how long the load took, microseconds
//	104     2     status
//	106     1     flags; bit 0: the body is compressed
//	107           tags: their number, then length and bytes of each; uvarint lengths
//	              header: the number of fields, then length and bytes of each name and value
//	              size of the body before compression, uvarint
//	              the body, to the end
//
// What a store's script compares (group, incarnation, version) stands at fixed
// offsets before anything of variable size, and what a sweeper needs (the tags)
// straight after. A change of the form takes a new format number, so that the
// other form is a miss and never misread.
package envelope
