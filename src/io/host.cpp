// The host's name and addresses, from the C library.
#include "io/host.h"

#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

namespace idgen::io {

int ReadHostname(char (&hostname)[kMaxHostname]) noexcept {
  if (gethostname(hostname, sizeof hostname) != 0) return -errno;
  hostname[sizeof hostname - 1] = '\0';
  return 0;
}

int ReadAddresses(const char* interface, uint32_t (&addresses)[kMaxAddresses]) noexcept {
  struct ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return -errno;
  size_t count = 0;
  for (const struct ifaddrs* entry = list; entry != nullptr && count < kMaxAddresses; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (*interface != '\0' && strcmp(interface, entry->ifa_name) != 0) continue;
    struct sockaddr_in address;
    memcpy(&address, entry->ifa_addr, sizeof address);
    addresses[count++] = ntohl(address.sin_addr.s_addr);
  }
  freeifaddrs(list);
  return static_cast<int>(count);
}

}  // namespace idgen::io
