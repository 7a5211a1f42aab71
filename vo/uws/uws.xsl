<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:uws="http://www.ivoa.net/xml/UWS/v1.0"
    xmlns:xlink="http://www.w3.org/1999/xlink"
    exclude-result-prefixes="uws xlink">
  <xsl:output method="html" encoding="UTF-8" indent="yes" doctype-system="about:legacy-compat"/>

  <xsl:template match="/">
    <html lang="en">
      <head>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title><xsl:apply-templates select="*" mode="title"/></title>
        <style>
          :root { color-scheme: light dark; --line: #8884; --soft: #8882; }
          body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
          h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
          table { border-collapse: collapse; width: 100%; }
          th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
          th { font-weight: 600; white-space: nowrap; }
          pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.45 ui-monospace, monospace; }
          code { font-family: ui-monospace, monospace; }
          .phase { padding: .1rem .6rem; border-radius: 1rem; background: var(--soft); font-size: .85rem; }
          .COMPLETED { background: #2a94; } .ERROR { background: #d334; } .ABORTED { background: #c814; }
          .EXECUTING, .QUEUED { background: #36c4; }
          .message { border-left: .25rem solid #d33; padding-left: .75rem; }
        </style>
      </head>
      <body><xsl:apply-templates select="*"/></body>
    </html>
  </xsl:template>

  <xsl:template match="uws:jobs" mode="title">Jobs</xsl:template>
  <xsl:template match="uws:job" mode="title">Job <xsl:value-of select="uws:jobId"/></xsl:template>
  <xsl:template match="uws:parameters" mode="title">Parameters</xsl:template>
  <xsl:template match="uws:results" mode="title">Results</xsl:template>

  <xsl:template match="uws:jobs">
    <h1>Jobs</h1>
    <xsl:choose>
      <xsl:when test="uws:jobref">
        <table>
          <thead><tr><th>Job</th><th>Phase</th><th>Created (UTC)</th><th>Run</th></tr></thead>
          <tbody><xsl:apply-templates select="uws:jobref"/></tbody>
        </table>
      </xsl:when>
      <xsl:otherwise><p>There are no jobs here.</p></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="uws:jobref">
    <tr>
      <td><a href="{@xlink:href}"><code><xsl:value-of select="@id"/></code></a></td>
      <td><xsl:apply-templates select="uws:phase"/></td>
      <td><xsl:apply-templates select="uws:creationTime"/></td>
      <td><xsl:value-of select="uws:runId"/></td>
    </tr>
  </xsl:template>

  <xsl:template match="uws:job">
    <h1>Job <code><xsl:value-of select="uws:jobId"/></code></h1>
    <p><xsl:apply-templates select="uws:phase"/></p>
    <xsl:apply-templates select="uws:errorSummary"/>
    <table>
      <tbody>
        <xsl:apply-templates select="uws:runId | uws:ownerId | uws:quote | uws:creationTime | uws:startTime
                                     | uws:endTime | uws:executionDuration | uws:destruction" mode="row"/>
      </tbody>
    </table>
    <h2>Parameters</h2>
    <xsl:apply-templates select="uws:parameters" mode="table"/>
    <xsl:if test="uws:results/uws:result">
      <h2>Results</h2>
      <xsl:apply-templates select="uws:results" mode="table"/>
    </xsl:if>
    <xsl:if test="uws:jobInfo/item">
      <h2>Further information</h2>
      <table><tbody><xsl:apply-templates select="uws:jobInfo/item"/></tbody></table>
    </xsl:if>
  </xsl:template>

  <xsl:template match="uws:parameters"><h1>Parameters</h1><xsl:apply-templates select="." mode="table"/></xsl:template>
  <xsl:template match="uws:results"><h1>Results</h1><xsl:apply-templates select="." mode="table"/></xsl:template>

  <xsl:template match="uws:phase">
    <span class="phase {.}"><xsl:value-of select="."/></span>
  </xsl:template>

  <xsl:template match="uws:errorSummary">
    <p class="message"><xsl:value-of select="uws:message"/></p>
  </xsl:template>

  <xsl:template match="uws:creationTime | uws:startTime | uws:endTime | uws:destruction | uws:quote">
    <xsl:value-of select="translate(substring-before(concat(., '.'), '.'), 'TZ', ' ')"/>
  </xsl:template>

  <xsl:template match="*" mode="row">
    <xsl:if test="string(.)">
      <tr>
        <th scope="row"><xsl:apply-templates select="." mode="label"/></th>
        <td><xsl:apply-templates select="."/></td>
      </tr>
    </xsl:if>
  </xsl:template>

  <xsl:template match="uws:runId" mode="label">Run</xsl:template>
  <xsl:template match="uws:ownerId" mode="label">Owner</xsl:template>
  <xsl:template match="uws:quote" mode="label">Expected end (UTC)</xsl:template>
  <xsl:template match="uws:creationTime" mode="label">Created (UTC)</xsl:template>
  <xsl:template match="uws:startTime" mode="label">Started (UTC)</xsl:template>
  <xsl:template match="uws:endTime" mode="label">Ended (UTC)</xsl:template>
  <xsl:template match="uws:executionDuration" mode="label">Seconds it may run</xsl:template>
  <xsl:template match="uws:destruction" mode="label">Kept until (UTC)</xsl:template>

  <xsl:template match="uws:parameters" mode="table">
    <table><tbody><xsl:apply-templates select="uws:parameter"/></tbody></table>
  </xsl:template>

  <xsl:template match="uws:parameter">
    <tr>
      <th scope="row"><xsl:value-of select="@id"/></th>
      <td>
        <xsl:choose>
          <xsl:when test="@byReference = 'true'"><a href="{.}">as it was sent</a></xsl:when>
          <xsl:otherwise><pre><xsl:value-of select="."/></pre></xsl:otherwise>
        </xsl:choose>
      </td>
    </tr>
  </xsl:template>

  <xsl:template match="uws:results" mode="table">
    <table><tbody><xsl:apply-templates select="uws:result"/></tbody></table>
  </xsl:template>

  <xsl:template match="uws:result">
    <tr>
      <th scope="row"><a href="{@xlink:href}"><xsl:value-of select="@id"/></a></th>
      <td><xsl:value-of select="@mime-type"/></td>
      <td><xsl:if test="@size"><xsl:value-of select="format-number(@size, '#,##0')"/> bytes</xsl:if></td>
    </tr>
  </xsl:template>

  <xsl:template match="uws:jobInfo/item">
    <tr>
      <th scope="row"><xsl:value-of select="@name"/></th>
      <td><pre><xsl:value-of select="."/></pre></td>
    </tr>
  </xsl:template>
</xsl:stylesheet>
