// Package store keeps content by its digest in a folder: downloads, and derived content whose length nobody knows
// before it is made, such as compressed frames. It also remembers which files outside the folder were checked, so that
// an OCI layout is used where it lies.
//
// The folder holds
//
//	blobs/sha256/HEX   an entry: content under the SHA-256 of its bytes, read-only
//	keys/HASH          a record {key, digest} of derived content; HASH is the SHA-256 of the key
//	stamps/HASH        a record {key, digest, inode, size, mtime, ctime, boot} of a file that was read to its end and had
//	                   this digest; the key is an entry's digest or a file's absolute path. Its mtime is the last use
//	locks/HASH         held by flock(2) while one process obtains or makes what HASH stands for
//	tmp/NAME           content on its way in, held by flock(2) by its writer
//	CACHEDIR.TAG       tells backup programs to pass by
//
// Records are single JSON objects. Everything appears by rename(2) of a file that is complete, so that whatever becomes of
// processes a name either does not exist or holds all of what it should; what is left in tmp and locks by a process
// that died is recognized by the lock nobody holds (by its age of a day where files cannot be locked) and removed by the
// next Open. Nothing in the folder is precious: what is missing or unreadable is obtained or made again.
//
// # What is checked when
//
// An entry is hashed while it is written. From then on it is trusted as long as its stamp (inode, size, modification
// and change time) is that of the last check, and hashed again when it is not, or when the Store was opened with
// Verify. Nobody can set a change time, so that content replaced behind the store's back is seen even where its length
// and modification time were restored. An entry that fails is removed and reported as not found.
//
// Downloads are synced before they get their name. Derived content is not, since it can be made again: the disk would have to
// take it, and then the output that is made of it, before a build is done. Its record carries the boot ID of the system
// that wrote it. After another boot, which a power cut may have come before, such an entry is hashed again; within the same one
// the next process first syncs it, which fails where the disk did not take it. Where there is no boot ID, it is synced at once.
//
// A stamp proves nothing about a file that changed in the same tick of the clock as it was hashed, as a second change
// could bear the same time (git calls this racily clean). Such a file is hashed, but its stamp is not trusted: a tick
// is taken as 2 s on file systems that keep coarse times and as 20 ms on others. The entry just written by the store
// itself is exempt: it had no name that others know until it was hashed.
//
// The package leaves out anything remote (see builder/fetch), and limits: nothing is removed but by Prune.
package store
