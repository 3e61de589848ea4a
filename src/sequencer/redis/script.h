// Operations on a sequence that need more than one command, as one Lua script, which Redis runs as one step. Its keys
// are the value, the generation and, if there are segments, the number of the latest one, all in one slot of a Redis
// Cluster.
//
// The value is the last one given, in plain decimal, as INCRBY has it; missing before the first. The generation,
// missing for 0, is raised by every set, drop and restart of the cycle, and outlives the value. It is a time, in Unix
// milliseconds, unless that would not raise it: so a new generation is later even if the store has forgotten the
// earlier ones. A segment's number is a time as well, in microseconds: so it is unique, whatever the store forgets.
//
// Numbers in Lua are doubles, inexact above 2^53, so values are never numbers in Lua: INCRBY adds them, which is exact
// and takes texts, and they are compared as digits, by length and then by characters.
#pragma once

namespace idgen::sequencer {

inline constexpr char kRedisSequenceScript[] = R"lua(
local K, M, S, verb, ttl, sliding = KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3] == '1'
local function at_most(a, b) return #a < #b or (#a == #b and a <= b) end

-- A value is digits, and a bigint.
local function is_value(text)
  return text == '0' or (string.match(text, '^[1-9]%d*$') and at_most(text, '9223372036854775807'))
end
local last = redis.call('GET', K)

-- A new key gets the TTL, as does one that should have a TTL and has none. The generation lives at least as long as the
-- value.
local function keep_time(made)
  if ttl ~= '0' and (made or sliding or redis.call('PTTL', K) == -1) then
    redis.call('PEXPIRE', K, ttl)
    redis.call('PEXPIRE', M, ttl)
  end
end
local function raise_generation()
  local time = redis.call('TIME')
  local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
  local before = redis.call('GET', M)
  if before and at_most(now, before) then redis.call('INCR', M) else redis.call('SET', M, now) end
  if ttl ~= '0' then redis.call('PEXPIRE', M, ttl) end
end

-- Sets the value and keeps its remaining TTL, which SET would remove.
local function assign(text)
  if last then redis.call('DECRBY', K, redis.call('GET', K)) end
  redis.call('INCRBY', K, text)
end

-- start, start - step ('' if that is negative), the amount that n values add to a value ('' if it exceeds bigint), the
-- highest value at which all n fit ('' if there is none), what n - 1 values add to start ('' if n never fit), whether it
-- cycles, n, then for each power of two below n: that many steps, and the highest value at which they fit
-- -> ok, last | around, before, how many came before the restart, last | full, last | bad
local function next_values(start, before, amount, limit, rest, cycle, n)
  if last and not is_value(last) then return {'bad'} end
  local fresh = not last or (before ~= '' and last ~= before and at_most(last, before))
  if fresh and rest ~= '' then
    local made = not last
    assign(start)
    redis.call('INCRBY', K, rest)
    keep_time(made)
    return {'ok', redis.call('GET', K)}
  end
  if not fresh and limit ~= '' and at_most(last, limit) then
    redis.call('INCRBY', K, amount)
    keep_time(false)
    return {'ok', redis.call('GET', K)}
  end
  if not last then return {'full', ''} end
  if not cycle then return {'full', last} end
  raise_generation()
  local powers, given = (#ARGV - 10) / 2, 0
  for i = powers, 1, -1 do
    local count = 2 ^ (i - 1)
    if given + count < n and at_most(redis.call('GET', K), ARGV[10 + 2 * i]) then
      redis.call('INCRBY', K, ARGV[9 + 2 * i])
      given = given + count
    end
  end
  assign(start)
  local more = n - given - 1
  for i = powers, 1, -1 do
    local count = 2 ^ (i - 1)
    if more >= count then
      redis.call('INCRBY', K, ARGV[9 + 2 * i])
      more = more - count
    end
  end
  keep_time(false)
  return {'around', last, string.format('%.0f', given), redis.call('GET', K)}
end

-- value, whether only if there is none -> ok, 1 or 0, generation
local function set(value, if_none)
  if last and if_none then return {'ok', '0', redis.call('GET', M) or '0'} end
  local left = last and redis.call('PTTL', K) or -1
  raise_generation()
  redis.call('SET', K, value)
  if left > 0 then redis.call('PEXPIRE', K, string.format('%.0f', left)) end
  keep_time(not last)
  return {'ok', '1', redis.call('GET', M)}
end

-- -> ok, 1 or 0, generation. A key that the store has forgotten counts as dropped, so the generation is raised in any case.
local function drop()
  raise_generation()
  redis.call('DEL', K)
  return {'ok', last and '1' or '0', redis.call('GET', M)}
end

-- Adds a given segment's number, and that of the previous one ('' if there is none).
local function number_segment(answer)
  if not S or answer[1] ~= 'ok' then return answer end
  local time, before = redis.call('TIME'), redis.call('GET', S)
  answer[4], answer[5] = string.format('%d%06d', time[1], time[2]), before or ''
  redis.call('SET', S, answer[4])
  return answer
end

-- A server knows that `value` was given under `generation`, and received a lower one, `received`. Unless there is a later
-- generation, the store has lost data and continues above `value`; the received values are issued again if no other was
-- issued since. Under a later generation they may be another server's. -> as next_values, with the generation
local function raise(generation, value, received, ...)
  local now = redis.call('GET', M) or '0'
  if at_most(now, generation) then
    if not last or last == received or (is_value(last) and at_most(last, value)) then
      assign(value)
      last = value
    end
    if now ~= generation then redis.call('SET', M, generation) end
    now = generation
  end
  local answer = next_values(...)
  if answer[1] == 'ok' then answer[3] = now end
  return answer
end

-- the last of the unused values, the amount that they add, their generation, the number of their segment -> ok, 1, or 0 if
-- others were given after them, generation. The same last value alone proves nothing: a store that has lost data may have
-- reached it again.
local function give_back(latest, amount, generation, number)
  if last ~= latest or (redis.call('GET', M) or '0') ~= generation or redis.call('GET', S) ~= number then
    return {'ok', '0', generation}
  end
  redis.call('DECRBY', K, amount)
  return {'ok', '1', generation}
end

-- the server that answers, and its replication history: a restart changes the first, a fail-over or a resynchronization
-- the second
local function writer()
  local function info(section, field)
    return string.match(redis.call('INFO', section), '\n' .. field .. ':([^\r\n]+)')
        or error('INFO ' .. section .. ' has no field ' .. field)
  end
  return info('server', 'run_id') .. ' ' .. info('replication', 'master_replid')
end

if verb == 'next' or verb == 'segment' then
  local answer = next_values(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9] == '1', tonumber(ARGV[10]))
  if verb == 'segment' and answer[1] == 'ok' then answer[3] = redis.call('GET', M) or '0' end
  return number_segment(answer)
end
if verb == 'writer' then return writer() end
if verb == 'return' then return give_back(ARGV[4], ARGV[5], ARGV[6], ARGV[7]) end
if verb == 'raise' then
  return number_segment(raise(ARGV[11], ARGV[12], ARGV[13], ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], false,
                              tonumber(ARGV[10])))
end
if verb == 'set' then return set(ARGV[4], ARGV[5] == '1') end
if verb == 'drop' then return drop() end
return redis.error_reply('ERR no such operation')
)lua";

}  // namespace idgen::sequencer
