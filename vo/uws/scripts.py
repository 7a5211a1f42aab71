"""The Lua scripts of the Redis job store: each changes a job and every set that names it in one instant.

The keys are told in `vo.uws.redis_store`. `line` is "<lane>:<account>" and stands in the job's hash, as does
`index`, the stem of the keys of the lists that show the job.
"""

from __future__ import annotations

_LINES = """
local function census(index, line, phase)
    local kind, lane = string.match(index, '^vo:jobs:([^:]*):'), string.match(line, '^[^:]*')
    return 'vo:census:' .. kind .. ':' .. lane .. ':' .. phase, 'vo:ended', kind .. ':'
end

local function enter(id, index, phase, line, from)
    local time, set, ended, kind = redis.call('TIME'), census(index, line, phase)
    redis.call('ZADD', set, time[1] + time[2] / 1000000, id)
    if phase == 'QUEUED' then
        local lane, account = string.match(line, '^([^:]*):(.*)$')
        local place = from == 'EXECUTING' and 0 or redis.call('INCR', 'vo:turn')
        redis.call('ZADD', 'vo:waiting:' .. lane, place, id)
        redis.call('ZADD', 'vo:line:' .. line, place, id)
        redis.call('ZADD', 'vo:ring:' .. lane, 'NX', place, account)
    elseif phase == 'EXECUTING' then
        redis.call('ZADD', 'vo:running:' .. line, 0, id)
    end
    local active = phase == 'QUEUED' or phase == 'EXECUTING'
    redis.call(active and 'SADD' or 'SREM', 'vo:active', id)
    if not active and phase ~= 'PENDING' then redis.call('HINCRBY', ended, kind .. phase, 1) end
end

local function leave(id, index, phase, line)
    local set = census(index, line, phase)
    redis.call('ZREM', set, id)
    if phase == 'QUEUED' then
        local lane, account = string.match(line, '^([^:]*):(.*)$')
        redis.call('ZREM', 'vo:waiting:' .. lane, id)
        redis.call('ZREM', 'vo:line:' .. line, id)
        if redis.call('EXISTS', 'vo:line:' .. line) == 0 then
            redis.call('ZREM', 'vo:ring:' .. lane, account)
        end
    elseif phase == 'EXECUTING' then
        redis.call('ZREM', 'vo:running:' .. line, id)
    end
end

local function refusal(line, limits)
    local lane = string.match(line, '^[^:]*')
    local in_all, an_account = unpack(cjson.decode(limits)[lane] or {0, 0})
    local mine = redis.call('ZCARD', 'vo:line:' .. line)
    local gap = redis.call('HGET', 'vo:pace:' .. lane, 'gap') or '1'
    if an_account > 0 and mine >= an_account then return {'quota', lane, mine, gap} end
    local all = redis.call('ZCARD', 'vo:waiting:' .. lane)
    if in_all > 0 and all >= in_all then return {'full', lane, all, gap} end
end

local function move(id, key, to, lease_ms)
    local index, phase, line = unpack(redis.call('HMGET', key, 'index', 'phase', 'line'))
    local created = redis.call('ZSCORE', index .. phase, id)
    leave(id, index, phase, line)
    redis.call('HSET', key, 'phase', to)
    redis.call('ZREM', index .. phase, id)
    redis.call('ZADD', index .. to, created, id)
    enter(id, index, to, line, phase)
    if to == 'EXECUTING' then
        redis.call('HINCRBY', key, 'attempt', 1)
        redis.call('SET', 'vo:lease:' .. id, '1', 'PX', lease_ms)
    else
        redis.call('DEL', 'vo:lease:' .. id)
    end
    redis.call('PUBLISH', 'vo:phase', id .. ' ' .. to)
end
"""

CREATE = (
    _LINES
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
local id, index, line, phase, created, destruction, limits = unpack(ARGV, 1, 7)
local refused = phase == 'QUEUED' and refusal(line, limits)
if refused then return refused end
redis.call('HSET', KEYS[1], 'index', index, 'line', line, unpack(ARGV, 8))
redis.call('ZADD', index .. phase, created, id)
redis.call('ZADD', 'vo:destruction', destruction, id)
enter(id, index, phase, line)
return {'done'}
"""
)
"""Keep a new job; refuse to queue it where its lane or its account has as many as may wait."""

MOVE = (
    _LINES
    + """
local id, to, from, attempt, lease_ms, destruction, limits = unpack(ARGV, 1, 7)
local phase, line = unpack(redis.call('HMGET', KEYS[1], 'phase', 'line'))
if not phase then return {'unknown'} end
if from ~= '' and not string.find(from, ' ' .. phase .. ' ', 1, true) then return {'phase', phase} end
local current = redis.call('HGET', KEYS[1], 'attempt')
if attempt ~= '' and attempt ~= current then return {'attempt', current} end
local refused = to == 'QUEUED' and phase ~= 'EXECUTING' and refusal(line, limits)
if refused then return refused end
if #ARGV > 7 then redis.call('HSET', KEYS[1], unpack(ARGV, 8)) end
if destruction ~= '' then redis.call('ZADD', 'vo:destruction', destruction, id) end
if to ~= '' then move(id, KEYS[1], to, lease_ms) end
return {'done', redis.call('HGETALL', KEYS[1])}
"""
)
"""Compare-and-set of the phase, or of other fields only; a job that was lost is queued again in any case."""

CLAIM = (
    _LINES
    + """
local function keep_pace(lane)
    local time = redis.call('TIME')
    local now = time[1] + time[2] / 1000000
    local last, gap = unpack(redis.call('HMGET', 'vo:pace:' .. lane, 'last', 'gap'))
    local latest = math.max(0, math.min(60, now - (last or now)))
    redis.call('HSET', 'vo:pace:' .. lane, 'last', now, 'gap', 0.9 * (gap or latest) + 0.1 * latest)
end
local lane, most, lease_ms = ARGV[1], tonumber(ARGV[2]), ARGV[3]
for _, account in ipairs(redis.call('ZRANGE', 'vo:ring:' .. lane, 0, -1)) do
    local line = lane .. ':' .. account
    if most == 0 or redis.call('ZCARD', 'vo:running:' .. line) < most then
        local id = redis.call('ZRANGE', 'vo:line:' .. line, 0, 0)[1]
        local key = id and 'vo:job:' .. id
        if key and redis.call('HGET', key, 'phase') == 'QUEUED' then
            redis.call('ZADD', 'vo:ring:' .. lane, redis.call('INCR', 'vo:turn'), account)
            if #ARGV > 3 then redis.call('HSET', key, unpack(ARGV, 4)) end
            move(id, key, 'EXECUTING', lease_ms)
            keep_pace(lane)
            return redis.call('HGETALL', key)
        end
    end
end
return {}
"""
)
"""Start the first job of the account whose turn it is, of those that do not run as many as they may.

The smoothed time between two starts is what a client is told when a lane has no room.
"""

RUNNABLE = """
local lane, most, count = ARGV[1], tonumber(ARGV[2]), 0
for _, account in ipairs(redis.call('ZRANGE', 'vo:ring:' .. lane, 0, -1)) do
    local waiting = redis.call('ZCARD', 'vo:line:' .. lane .. ':' .. account)
    if most > 0 then
        waiting = math.min(waiting, most - redis.call('ZCARD', 'vo:running:' .. lane .. ':' .. account))
    end
    count = count + math.max(waiting, 0)
end
return count
"""
"""How many jobs of a lane could start if there were workers enough."""

DELETE = (
    _LINES
    + """
local id, job = ARGV[1], redis.call('HGETALL', KEYS[1])
if #job == 0 then return job end
local index, phase, line = unpack(redis.call('HMGET', KEYS[1], 'index', 'phase', 'line'))
leave(id, index, phase, line)
redis.call('DEL', KEYS[1], 'vo:lease:' .. id)
redis.call('ZREM', index .. phase, id)
redis.call('ZREM', 'vo:destruction', id)
redis.call('SREM', 'vo:active', id)
if phase == 'PENDING' or phase == 'QUEUED' or phase == 'EXECUTING' then
    local _, ended, kind = census(index, line, phase)
    redis.call('HINCRBY', ended, kind .. 'ABORTED', 1)
    redis.call('PUBLISH', 'vo:phase', id .. ' ABORTED')
end
return job
"""
)
"""Forget a job, and tell those who wait for it."""

RENEW = """
local phase, attempt = unpack(redis.call('HMGET', KEYS[1], 'phase', 'attempt'))
if phase ~= 'EXECUTING' or attempt ~= ARGV[2] then return 0 end
redis.call('SET', 'vo:lease:' .. ARGV[1], '1', 'PX', ARGV[3])
return 1
"""
"""Keep the lease of an attempt that still has the job."""

RECOUNT = """
local wanted, mended = {}, 0
for _, key in ipairs(KEYS) do wanted[key] = {} end
local function want(key, member, fallback)
    wanted[key] = wanted[key] or {}
    wanted[key][member] = wanted[key][member] or redis.call('ZSCORE', key, member) or fallback
end
for _, id in ipairs(ARGV) do
    local phase, line = unpack(redis.call('HMGET', 'vo:job:' .. id, 'phase', 'line'))
    if line and (phase == 'QUEUED' or phase == 'EXECUTING') then
        mended = mended + redis.call('SADD', 'vo:active', id)
    end
end
for _, id in ipairs(redis.call('SMEMBERS', 'vo:active')) do
    local phase, line = unpack(redis.call('HMGET', 'vo:job:' .. id, 'phase', 'line'))
    if phase == 'QUEUED' then
        local lane, account = string.match(line, '^([^:]*):(.*)$')
        local place = redis.call('ZSCORE', 'vo:waiting:' .. lane, id) or redis.call('INCR', 'vo:turn')
        want('vo:waiting:' .. lane, id, place)
        want('vo:line:' .. line, id, place)
        want('vo:ring:' .. lane, account, place)
    elseif phase == 'EXECUTING' then
        want('vo:running:' .. line, id, 0)
    else
        mended = mended + redis.call('SREM', 'vo:active', id)
    end
end
for key, members in pairs(wanted) do
    for _, member in ipairs(redis.call('ZRANGE', key, 0, -1)) do
        if not members[member] then mended = mended + redis.call('ZREM', key, member) end
    end
    for member, score in pairs(members) do
        mended = mended + redis.call('ZADD', key, 'NX', score, member)
    end
end
return mended
"""
"""Make the sets of the lanes what the jobs say: KEYS are all there are, ARGV ids that vo:active lacks."""
