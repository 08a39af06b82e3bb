package doctor

import (
	"syscall"
)

// remoteFS are network file systems by their numbers in statfs(2).
var remoteFS = map[int64]string{
	0x6969: "NFS", 0x517b: "SMB", 0xff534d42: "CIFS", 0xfe534d42: "SMB2",
	0x01021997: "9P", 0x5346414f: "AFS", 0x00c36400: "Ceph",
}

func diskOf(path string) (diskInfo, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return diskInfo{}, err
	}
	return diskInfo{remote: remoteFS[int64(uint32(s.Type))], free: s.Bavail * uint64(s.Bsize)}, nil
}
