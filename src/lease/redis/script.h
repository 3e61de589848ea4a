// The lease's operations as one Lua script, which Redis runs as one step. Its only key is the prefix's hash, so that it
// works in a Redis Cluster.
//
//   field    value
//   w<n>     the record of worker id n: ceiling | expiry | token | floor | holder; floor: of the last acquisition
//   s<n>     the same, of the server that last announced n as its static worker id; its floor is not used
//   born     since when the hash is known to be whole
//   wrote    run id and replication id of the Redis that wrote the hash last
//   ttl      the longest TTL in use: the quarantine
//   new      until when the prefix is declared new
//
// Times are Unix milliseconds in 16 digits, zero-padded, and are compared as texts; tokens are 36 characters, '-' if
// the worker id is free. Numbers in Lua are doubles: only sums with TIME are made of them, exact below 2^53.
#pragma once

namespace idgen::lease {

inline constexpr char kRedisLeaseScript[] = R"lua(
local key, verb, ttl = KEYS[1], ARGV[1], tonumber(ARGV[2])
local FREE, NEVER = string.rep('-', 36), string.rep('0', 16)
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function digits(ms) return string.format('%016.0f', ms) end
local function least(a, b) if a < b then return a end return b end
local function most(a, b) if a > b then return a end return b end
local function info(section, field)
  return string.match(redis.call('INFO', section), '\n' .. field .. ':([^\r\n]*)')
      or error('INFO ' .. section .. ' has no field ' .. field)
end
local now = digits(now_ms)

-- Notes who writes, and finds out whether another writer did before: a Redis that was restarted, failed over to or
-- emptied may have forgotten some or all records. quarantine: the TTL to use wherever servers must agree on one. Returns
-- until when no worker id may go to another token, or nil.
local quarantine = ttl
local function open()
  local seen = redis.call('HMGET', key, 'born', 'wrote', 'new', 'ttl')
  local born, wrote, new, longest = seen[1], seen[2], seen[3], seen[4]
  local writer = info('server', 'run_id') .. ' ' .. info('replication', 'master_replid')
  if wrote ~= writer or not born or born > now then
    born, new = now, nil  -- the declaration may be all that survived
    redis.call('HSET', key, 'born', born, 'wrote', writer)
    redis.call('HDEL', key, 'new')
  end
  if longest and tonumber(longest) > ttl then quarantine = tonumber(longest)
  else redis.call('HSET', key, 'ttl', digits(ttl)) end
  if new and new > now and new <= digits(now_ms + quarantine) then return nil end
  if new then redis.call('HDEL', key, 'new') end
  local closed_until = digits(tonumber(born) + quarantine)
  if closed_until > now then return closed_until end
end

local function parse(record)
  return {ceiling = string.sub(record, 1, 16), expiry = least(string.sub(record, 18, 33), digits(now_ms + quarantine)),
          token = string.sub(record, 35, 70), floor = string.sub(record, 72, 87), holder = string.sub(record, 89)}
end
local function read(worker)
  local record = redis.call('HGET', key, 'w' .. worker)
  return record and parse(record)
end
local function put(field, ceiling, expiry, token, floor, holder)
  redis.call('HSET', key, field, table.concat({ceiling, expiry, token, floor, holder}, '|'))
end
local function write(worker, ...) put('w' .. worker, ...) end
-- Of leases, and of static worker ids.
local function records()
  local found, all = {w = {}, s = {}}, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local kind, worker = string.match(all[i], '^([ws])(%d+)$')
    if worker then found[kind][tonumber(worker)] = parse(all[i + 1]) end
  end
  return found.w, found.s
end

-- What the Redis does when it runs out of memory: its policy; 'unlimited'; '' if it does not say.
local function policy()
  local memory = redis.call('INFO', 'memory')
  if string.find(memory, '\nmaxmemory:0\r') then return 'unlimited' end
  return string.match(memory, '\nmaxmemory_policy:([^\r\n]*)') or ''
end

-- token, holder, lowest worker id, highest and one, reach -> ok, worker, floor, expiry, now, policy
--                                                         | busy, until, why, now
local function acquire(token, holder, first, past, reach)
  local closed_until = open()
  local found, static = records()
  local expiry = digits(now_ms + ttl)
  local chosen, lowest, highest, first_expiry, static_expiry, own_expiry, own = nil, nil, NEVER, nil, nil, nil, 0
  for worker = first, past - 1 do
    local record, claim = found[worker], static[worker]
    if record and record.token == token and record.expiry > now then  -- the answer to the same request was lost
      write(worker, record.ceiling, expiry, token, record.floor, holder)
      return {'ok', tostring(worker), record.floor, expiry, now, ''}
    end
    if record then highest = most(highest, record.ceiling) end
    if record and record.token ~= FREE and record.expiry > now then
      first_expiry = least(first_expiry or record.expiry, record.expiry)
      if record.holder == holder then
        own = own + 1
        own_expiry = least(own_expiry or record.expiry, record.expiry)
      end
    elseif claim and claim.expiry > now then
      static_expiry = least(static_expiry or claim.expiry, claim.expiry)
    else
      -- No holder starts before now: the true ceiling of a record from before a loss is unknown, but a quarantine has
      -- passed since, and no ceiling was further ahead than that.
      local floor = most(most(record and record.ceiling or NEVER, claim and claim.ceiling or NEVER), now)
      if not lowest or floor < lowest then chosen, lowest = worker, floor end
    end
  end
  if closed_until then return {'busy', closed_until, 'quarantine', now} end
  if own >= 3 then return {'busy', own_expiry, 'crashes', now} end
  if not chosen then
    local until_time = first_expiry or static_expiry or now
    return {'busy', least(until_time, static_expiry or until_time), 'full', now}
  end
  if lowest > digits(now_ms + reach) then
    local until_ms = tonumber(lowest) - reach
    return {'busy', least(digits(until_ms), first_expiry or digits(until_ms)), 'ahead', now}
  end
  -- A shorter TTL counts once no server can be further ahead than it allows.
  if not first_expiry and highest <= digits(now_ms + ttl) then redis.call('HSET', key, 'ttl', digits(ttl)) end
  write(chosen, lowest, expiry, token, lowest, holder)
  return {'ok', tostring(chosen), lowest, expiry, now, policy()}
end

-- worker, token, holder, ceiling, the expiry of the last reply, durable, first, floor
-- -> ok, granted, expiry, now, rival, policy | lost, why, now
-- rival: another server with this as its static worker id; or ''. granted: the part of the ceiling that may be used. The
-- stored ceiling is never lowered.
-- The floor distinguishes two acquisitions with the same token: a copy of the request may arrive late, when others have
-- had the worker id in between.
-- Only the first renewal over a connection asks who wrote last, which is a third of the work. acquire always asks, so
-- this only decides when a quarantine begins.
local function renew(worker, token, holder, ceiling, last_expiry, durable, first, floor)
  local seen = redis.call('HMGET', key, 'ttl', 'w' .. worker, 's' .. worker)
  local longest = seen[1] and tonumber(seen[1])
  if first == '1' or not seen[2] or not longest or longest < ttl then open() else quarantine = longest end
  local record = seen[2] and parse(seen[2])
  local highest = digits(now_ms + quarantine)
  local granted = ceiling
  if granted > highest and durable ~= '1' then granted = highest end
  local stored
  if record and record.token == token and record.floor == floor then
    -- After the expiry, another server may have had the worker id, and its record may have been lost since.
    if now >= last_expiry then
      open()
      if redis.call('HGET', key, 'born') >= last_expiry then return {'lost', 'forgotten', now} end
    end
    stored = most(record.ceiling, granted)
  elseif durable ~= '1' and now < last_expiry and (not record or record.token == FREE or record.expiry <= now) and
         not (record and record.token == token) then
    -- No other server can have had it since: the record was lost, or replaced by an older one.
    open()
    stored = most(most(granted, highest), record and record.ceiling or NEVER)
  elseif record then
    return {'lost', record.token == FREE and 'free' or 'taken', now}
  else
    return {'lost', 'forgotten', now}
  end
  local expiry = digits(now_ms + ttl)
  write(worker, stored, expiry, token, floor, holder)
  local claim = seen[3] and parse(seen[3])
  local rival = ''
  if claim and claim.expiry > now and claim.holder ~= holder then rival = claim.holder end
  return {'ok', granted, expiry, now, rival, first == '1' and policy() or ''}
end

-- A server announces its static worker id. This acquires nothing and leaves leases alone; but a worker id that is static
-- somewhere is not leased, and a server that leases it later starts above `ceiling`.
-- worker, token, holder, ceiling -> ok, now, how the rival has the worker id ('', 'static', 'lease'), rival
-- Rivals overwrite each other's record, so a server that finds another token in its record knows that another server
-- uses the worker id.
local function present(worker, token, holder, ceiling)
  local seen = redis.call('HMGET', key, 's' .. worker, 'w' .. worker)
  local claim, lease = seen[1] and parse(seen[1]), seen[2] and parse(seen[2])
  put('s' .. worker, most(ceiling, claim and claim.ceiling or NEVER), digits(now_ms + ttl), token, NEVER, holder)
  if claim and claim.token ~= token and claim.expiry > now then return {'ok', now, 'static', claim.holder} end
  if lease and lease.token ~= FREE and lease.expiry > now and lease.holder ~= holder then
    return {'ok', now, 'lease', lease.holder}
  end
  return {'ok', now, '', ''}
end

-- worker ('' if the answer to acquire is unknown), token -> ok | lost
local function release(worker, token)
  open()
  if worker == '' then
    for number, record in pairs((records())) do
      if record.token == token and record.expiry > now then worker = tostring(number) end
    end
  end
  local record = worker ~= '' and read(worker)
  if not record or record.token ~= token then return {'lost', 'taken', now} end
  write(worker, record.ceiling, NEVER, FREE, record.floor, record.holder)
  return {'ok', now}
end

-- -> ok, now, then each record's field and value
local function list()
  local answer, all = {'ok', now}, redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if string.match(all[i], '^[ws]%d+$') then
      answer[#answer + 1] = all[i]
      answer[#answer + 1] = all[i + 1]
    end
  end
  return answer
end

-- -> ok, until | in use, number of records
local function declare_new()
  open()
  local count = 0
  for _ in pairs((records())) do count = count + 1 end
  if count > 0 then return {'in use', tostring(count)} end
  local until_time = digits(now_ms + ttl)
  redis.call('HSET', key, 'new', until_time)
  return {'ok', until_time}
end

if verb == 'acquire' then
  return acquire(ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]))
end
if verb == 'renew' then return renew(ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]) end
if verb == 'release' then return release(ARGV[3], ARGV[4]) end
if verb == 'present' then return present(ARGV[3], ARGV[4], ARGV[5], ARGV[6]) end
if verb == 'list' then return list() end
if verb == 'declare new' then return declare_new() end
return redis.error_reply('ERR no such operation')
)lua";

}  // namespace idgen::lease
