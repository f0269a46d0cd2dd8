#pragma once

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace spillway::test {

// A file system with one file, `data`, whose reads are answered up to an offset and never from there on, as
// by a drive that has died. A process of its own serves it, by the protocol of FUSE.
class SilentDrive {
 public:
  // Mounts it at `folder`, with the content of the file `content`. mounted() says whether this user and this
  // machine can.
  SilentDrive(std::string folder, const std::string& content, uint64_t answered)
      : folder_(std::move(folder)),
        content_(::open(content.c_str(), O_RDONLY | O_CLOEXEC)),
        answered_(answered) {
    bytes_ = uint64_t(::lseek(content_, 0, SEEK_END));
    const int device = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) {
      return;
    }
    const std::string options =
        "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0,allow_other";
    mounted_ = ::mount("spillway-test", folder_.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) == 0;
    server_ = mounted_ ? ::fork() : -1;
    if (server_ == 0) {
      serve(device);
      ::_exit(0);
    }
    ::close(device);
  }
  ~SilentDrive() {
    if (mounted_) {
      ::kill(server_, SIGKILL);  // whoever waits for a read gets an error now
      ::waitpid(server_, nullptr, 0);
      ::umount2(folder_.c_str(), MNT_DETACH);
    }
    ::close(content_);
  }
  SilentDrive(const SilentDrive&) = delete;
  SilentDrive& operator=(const SilentDrive&) = delete;

  bool mounted() const { return mounted_; }
  std::string file() const { return folder_ + "/data"; }

 private:
  static constexpr uint64_t kFile = 2;  // its inode; 1 is the folder

  fuse_attr attributes(uint64_t inode) const {
    fuse_attr attr = {};
    attr.ino = inode;
    attr.mode = inode == kFile ? S_IFREG | 0644 : S_IFDIR | 0755;
    attr.nlink = 1;
    attr.size = inode == kFile ? bytes_ : 0;
    attr.blocks = attr.size / 512;
    attr.blksize = 4096;
    return attr;
  }

  static void answer(int device, uint64_t unique, int error, const void* data, size_t bytes) {
    fuse_out_header head = {};
    head.unique = unique;
    head.error = -error;
    head.len = uint32_t(sizeof head + bytes);
    std::vector<char> message(head.len);
    std::memcpy(message.data(), &head, sizeof head);
    if (bytes > 0) {
      std::memcpy(message.data() + sizeof head, data, bytes);
    }
    [[maybe_unused]] const ssize_t written = ::write(device, message.data(), message.size());
  }

  template <class Reply>
  static void answer(int device, uint64_t unique, const Reply& reply) {
    answer(device, unique, 0, &reply, sizeof reply);
  }

  void answer_attributes(int device, uint64_t unique, uint64_t inode) const {
    fuse_attr_out reply = {};
    reply.attr_valid = 3600;
    reply.attr = attributes(inode);
    answer(device, unique, reply);
  }

  void answer_name(int device, uint64_t unique, const char* name) const {
    if (std::string(name) != "data") {
      return answer(device, unique, ENOENT, nullptr, 0);
    }
    fuse_entry_out reply = {};
    reply.nodeid = kFile;
    reply.entry_valid = reply.attr_valid = 3600;
    reply.attr = attributes(kFile);
    answer(device, unique, reply);
  }

  void answer_read(int device, uint64_t unique, const fuse_read_in& read) const {
    if (read.offset + read.size <= answered_) {
      std::vector<char> bytes(read.size);
      const ssize_t got = ::pread(content_, bytes.data(), bytes.size(), off_t(read.offset));
      answer(device, unique, 0, bytes.data(), size_t(got > 0 ? got : 0));
    }
  }

  void serve(int device) const {
    std::vector<char> message(1 << 20);
    while (true) {
      const ssize_t got = ::read(device, message.data(), message.size());
      if (got < 0 && (errno == EINTR || errno == ENOENT)) {
        continue;
      }
      if (got < ssize_t(sizeof(fuse_in_header))) {
        return;
      }
      fuse_in_header head = {};
      std::memcpy(&head, message.data(), sizeof head);
      const char* body = message.data() + sizeof head;
      switch (head.opcode) {
        case FUSE_INIT: {
          fuse_init_out reply = {};
          reply.major = FUSE_KERNEL_VERSION;
          reply.minor = 31;
          reply.max_readahead = 0;
          reply.flags = FUSE_ASYNC_READ | FUSE_ASYNC_DIO;
          reply.max_write = 4096;
          answer(device, head.unique, reply);
          break;
        }
        case FUSE_LOOKUP:
          answer_name(device, head.unique, body);
          break;
        case FUSE_GETATTR:
          answer_attributes(device, head.unique, head.nodeid);
          break;
        case FUSE_OPEN:
        case FUSE_OPENDIR:
          answer(device, head.unique, fuse_open_out{});
          break;
        case FUSE_READ: {
          fuse_read_in read = {};
          std::memcpy(&read, body, sizeof read);
          answer_read(device, head.unique, read);
          break;
        }
        case FUSE_RELEASE:
        case FUSE_RELEASEDIR:
        case FUSE_FLUSH:
          answer(device, head.unique, 0, nullptr, 0);
          break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
          break;
        default:
          answer(device, head.unique, ENOSYS, nullptr, 0);
      }
    }
  }

  std::string folder_;
  int content_;
  uint64_t bytes_ = 0;
  uint64_t answered_;
  bool mounted_ = false;
  pid_t server_ = -1;
};

}  // namespace spillway::test
